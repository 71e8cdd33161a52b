//! The real `bitspath up` in a data directory of its own, on loopback, with the ports moved away
//! from any other server. Stopped and removed on drop.
use crate::clock::{pause, wait_for};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub const HOST: &str = "127.0.0.1";

/// SIP; RTP lies from 100 above to 10,099 above, below the ports that the kernel gives away.
const PORT: u16 = 15_060;

pub struct Pbx {
    child: Option<Child>,
    pub dir: PathBuf,
    pub port: u16,
}

/// One of our binaries, which lie beside this one.
pub fn binary(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("."));
    own.with_file_name(name)
}

impl Pbx {
    /// Starts the server and waits for its `ready`; `more` are further arguments.
    pub fn start(name: &str, more: &[&str]) -> Result<Pbx, String> {
        let dir = std::env::temp_dir().join(format!("testbed-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).map_err(|e| format!("{}: {e}", dir.display()))?;
        let mut pbx = Pbx { child: None, dir, port: PORT };
        pbx.spawn(more)?;
        Ok(pbx)
    }

    fn spawn(&mut self, more: &[&str]) -> Result<(), String> {
        let log = self.dir.join("up.log");
        let out = fs::File::create(&log).map_err(|e| e.to_string())?;
        let err = out.try_clone().map_err(|e| e.to_string())?;
        let child = Command::new(binary("bitspath"))
            .args(["up", "--bind", HOST, "--base-port", &self.port.to_string(), "--data"])
            .arg(self.dir.join("data"))
            .args(more)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|e| format!("bitspath does not start: {e}"))?;
        self.child = Some(child);
        let text = || fs::read_to_string(&log).unwrap_or_default();
        wait_for(Duration::from_secs(5), || text().lines().any(|l| l == "ready").then_some(()))
            .ok_or_else(|| format!("bitspath up was not ready in 5 s:\n{}", text()))
    }

    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// The password of a demo extension, read from the configuration that `up` wrote.
    pub fn password(&self, number: &str) -> Result<String, String> {
        let file = self.data().join("bitspath.toml");
        let text = fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        let mut here = false;
        for line in text.lines().map(str::trim) {
            let Some((key, value)) = line.split_once('=') else { continue };
            let value = value.trim().trim_matches('"');
            match key.trim() {
                "number" => here = value == number,
                "password" if here => return Ok(value.to_string()),
                _ => {}
            }
        }
        Err(format!("{number} has no password in {}", file.display()))
    }

    /// Every call record, through the control socket.
    pub fn cdrs(&self) -> Result<Vec<Value>, String> {
        let out = self.tool(&["cdr", "--json"])?;
        out.lines().map(|l| serde_json::from_str(l).map_err(|e| format!("{l}: {e}"))).collect()
    }

    /// Runs `bitspath ARGS --data DIR` and gives its output.
    pub fn tool(&self, args: &[&str]) -> Result<String, String> {
        let out = Command::new(binary("bitspath"))
            .args(args)
            .arg("--data")
            .arg(self.data())
            .output()
            .map_err(|e| format!("bitspath {args:?}: {e}"))?;
        if !out.status.success() {
            let err = String::from_utf8_lossy(&out.stderr).into_owned();
            return Err(format!("bitspath {args:?}: {}: {err}", out.status));
        }
        Ok(String::from_utf8_lossy(&out.stdout).into_owned())
    }

    /// One sample of the metrics page, summed over its labels.
    pub fn metric(&self, name: &str) -> Result<f64, String> {
        let page = http_get(self.port + 9, "/metrics")?;
        let rows = page.lines().filter(|l| !l.starts_with('#')).filter_map(|l| {
            let (key, value) = l.rsplit_once(' ')?;
            (key.split('{').next() == Some(name)).then(|| value.parse::<f64>().ok()).flatten()
        });
        let values: Vec<f64> = rows.collect();
        if values.is_empty() {
            return Err(format!("the metrics have no {name}:\n{page}"));
        }
        Ok(values.iter().sum())
    }

    /// Waits until nothing is alive but registrations, or says what still is.
    pub fn at_rest(&self, patience: Duration) -> Result<(), String> {
        const GAUGES: [&str; 5] = ["transactions", "dialogs", "calls", "relays", "ports_leased"];
        let alive = || -> Result<Vec<String>, String> {
            let mut alive = Vec::new();
            for gauge in GAUGES {
                let value = self.metric(&format!("bitspath_{gauge}"))?;
                if value > 0.0 {
                    alive.push(format!("{gauge} {value}"));
                }
            }
            Ok(alive)
        };
        let rest = || alive().is_ok_and(|a| a.is_empty()).then_some(());
        match wait_for(patience, rest) {
            Some(()) => Ok(()),
            None => Err(format!("not at rest: {}", alive()?.join(", "))),
        }
    }

    /// Saves the recording and lets `sip_server --replay` compare every output hash.
    pub fn replays(&self) -> Result<String, String> {
        let file = self.dir.join("saved.flight");
        self.tool(&["flight", "save", "-o", &file.display().to_string()])?;
        let out = Command::new(binary("sip_server"))
            .arg("--replay")
            .arg(&file)
            .output()
            .map_err(|e| e.to_string())?;
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        if out.status.success() {
            return Ok(text);
        }
        Err(format!("replay: {}: {text}{}", out.status, String::from_utf8_lossy(&out.stderr)))
    }

    /// Changes the configuration that `up` wrote, and asks the running server to read it again.
    pub fn reconfigure(&self, from: &str, to: &str) -> Result<(), String> {
        let file = self.data().join("bitspath.toml");
        let text = fs::read_to_string(&file).map_err(|e| e.to_string())?;
        if !text.contains(from) {
            return Err(format!(
                "'{from}' is not in {}:
{text}",
                file.display()
            ));
        }
        fs::write(&file, text.replace(from, to)).map_err(|e| e.to_string())?;
        let pid = self.child.as_ref().map(Child::id).ok_or("not running")?;
        signal(pid, "HUP");
        pause(Duration::from_millis(500));
        Ok(())
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("up.log")).unwrap_or_default()
    }

    /// Drains and waits for the exit; a second signal ends what is left.
    pub fn stop(&mut self) -> Result<(), String> {
        let Some(mut child) = self.child.take() else { return Ok(()) };
        for _ in 0..2 {
            terminate(child.id());
            let gone = wait_for(Duration::from_secs(3), || child.try_wait().ok().flatten());
            if let Some(status) = gone {
                return status.success().then_some(()).ok_or(format!("up ended with {status}"));
            }
        }
        let _ = child.kill();
        let _ = child.wait();
        Err("up did not end after two SIGTERM".into())
    }
}

impl Drop for Pbx {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::env::var_os("TESTBED_KEEP").is_none() {
            let _ = fs::remove_dir_all(&self.dir);
        }
    }
}

pub fn terminate(pid: u32) {
    signal(pid, "TERM");
}

/// By the system's own tool, which spares this crate a libc binding.
fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
}

fn http_get(port: u16, path: &str) -> Result<String, String> {
    let mut conn = TcpStream::connect((HOST, port)).map_err(|e| format!("metrics: {e}"))?;
    let ask = format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n");
    conn.write_all(ask.as_bytes()).map_err(|e| e.to_string())?;
    let mut page = String::new();
    conn.read_to_string(&mut page).map_err(|e| e.to_string())?;
    Ok(page)
}

/// A folder of the repository, wherever the binary was built.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}
