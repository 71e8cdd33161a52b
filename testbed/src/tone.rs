//! Tones in WAV files: what a phone says, and what the other one heard.
//! Goertzel's filter over windows of 100 ms; 16-bit mono PCM at any rate.
use std::f64::consts::TAU;
use std::fs;
use std::path::Path;

const RATE: u32 = 8_000;

/// Writes `seconds` of a sine at `hz`.
pub fn write_wav(path: &Path, hz: f64, seconds: u32) -> std::io::Result<()> {
    let samples = RATE * seconds;
    let mut out = Vec::with_capacity(44 + samples as usize * 2);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&(36 + samples * 2).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt ");
    out.extend_from_slice(&16u32.to_le_bytes());
    for half in [1u16, 1] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    out.extend_from_slice(&RATE.to_le_bytes());
    out.extend_from_slice(&(RATE * 2).to_le_bytes());
    for half in [2u16, 16] {
        out.extend_from_slice(&half.to_le_bytes());
    }
    out.extend_from_slice(b"data");
    out.extend_from_slice(&(samples * 2).to_le_bytes());
    for n in 0..samples {
        let value = (f64::from(n) * TAU * hz / f64::from(RATE)).sin() * 12_000.0;
        out.extend_from_slice(&(value as i16).to_le_bytes());
    }
    fs::write(path, out)
}

/// Seconds of the recording in which `hz` carries more than half of the power.
pub fn seconds_of(path: &Path, hz: f64) -> Result<f64, String> {
    let bytes = fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let (rate, samples) = pcm(&bytes).ok_or_else(|| format!("{}: not PCM WAV", path.display()))?;
    let window = rate as usize / 10;
    let heard = samples.chunks_exact(window).filter(|w| carries(w, f64::from(rate), hz)).count();
    Ok(heard as f64 / 10.0)
}

fn carries(window: &[f64], rate: f64, hz: f64) -> bool {
    let energy: f64 = window.iter().map(|v| v * v).sum();
    let n = window.len() as f64;
    if energy / n < 1_000.0 {
        return false;
    }
    let k = 2.0 * (TAU * hz / rate).cos();
    let (mut s1, mut s2) = (0.0, 0.0);
    for v in window {
        (s1, s2) = (v + k * s1 - s2, s1);
    }
    let power = s1 * s1 + s2 * s2 - k * s1 * s2;
    2.0 * power / (energy * n) > 0.5
}

/// Sample rate and first channel of a 16-bit PCM file, whatever chunks surround its data.
fn pcm(bytes: &[u8]) -> Option<(u32, Vec<f64>)> {
    let (mut at, mut rate, mut channels) = (12, 0, 1);
    while let Some(head) = bytes.get(at..at + 8) {
        let len = u32::from_le_bytes(head[4..8].try_into().ok()?) as usize;
        let rest = bytes.get(at + 8..)?;
        let body = rest.get(..len.min(rest.len()))?;
        match &head[..4] {
            b"fmt " => {
                channels = usize::from(u16::from_le_bytes(body.get(2..4)?.try_into().ok()?));
                rate = u32::from_le_bytes(body.get(4..8)?.try_into().ok()?);
            }
            b"data" => {
                let frames = body.chunks_exact(2 * channels.max(1));
                let samples = frames.map(|f| f64::from(i16::from_le_bytes([f[0], f[1]])));
                return (rate > 0).then(|| (rate, samples.collect()));
            }
            _ => {}
        }
        at += 8 + len + len % 2;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_tone_is_heard_and_another_is_not() {
        let path = std::env::temp_dir().join(format!("tone-{}.wav", std::process::id()));
        write_wav(&path, 770.0, 2).expect("temp dir is writable");
        assert!(seconds_of(&path, 770.0).expect("reads back") > 1.9);
        assert!(seconds_of(&path, 1004.0).expect("reads back") < 0.1);
        fs::remove_file(&path).expect("was there");
    }
}
