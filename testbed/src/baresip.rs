//! baresip as a headless softphone: a tone for a microphone, a WAV file for an ear, and control
//! by JSON in netstrings over TCP (module ctrl_tcp).
use crate::clock::wait_for;
use crate::pbx::HOST;
use crate::tone;
use serde_json::{Value, json};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub struct Baresip {
    child: Child,
    dir: PathBuf,
    control: TcpStream,
    unread: Vec<u8>,
    events: Vec<Value>,
}

/// How one phone is set up.
pub struct Account<'a> {
    pub number: &'a str,
    pub password: &'a str,
    /// Its SIP port on 127.0.0.1; control is ten above, RTP the hundred from 100 above. (baresip
    /// sends RTP from the address that the route gives, whatever its own SDP says, so every
    /// phone lives on the one address of the loopback's routes.)
    pub port: u16,
    /// What it says, in Hz.
    pub hz: f64,
    pub auto_answer: bool,
    pub transport: &'a str,
}

impl Baresip {
    /// Starts a phone that registers at `host:port`; its files lie under `base`.
    pub fn start(base: &std::path::Path, a: &Account<'_>, server: &str) -> Result<Self, String> {
        let dir = base.join(format!("baresip-{}", a.port));
        fs::create_dir_all(dir.join("rec")).map_err(|e| e.to_string())?;
        tone::write_wav(&dir.join("say.wav"), a.hz, 60).map_err(|e| e.to_string())?;
        fs::write(dir.join("config"), config(&dir, a.port)).map_err(|e| e.to_string())?;
        fs::write(dir.join("contacts"), "").map_err(|e| e.to_string())?;
        let mode = if a.auto_answer { "auto" } else { "manual" };
        let account = format!(
            "<sip:{}@{server};transport={}>;auth_pass={};answermode={mode};\
             audio_codecs=PCMU,PCMA;regint=600\n",
            a.number, a.transport, a.password
        );
        fs::write(dir.join("accounts"), account).map_err(|e| e.to_string())?;
        let log = fs::File::create(dir.join("log")).map_err(|e| e.to_string())?;
        let err = log.try_clone().map_err(|e| e.to_string())?;
        let child = Command::new("baresip")
            .args(["-f".as_ref(), dir.as_os_str()])
            .current_dir(dir.join("rec"))
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(err)
            .spawn()
            .map_err(|e| format!("baresip: {e}"))?;
        let connect = || TcpStream::connect((HOST, a.port + 10)).ok();
        let Some(control) = wait_for(Duration::from_secs(5), connect) else {
            return Err(format!("baresip's control port {} does not open", a.port + 10));
        };
        control.set_nonblocking(true).map_err(|e| e.to_string())?;
        Ok(Baresip { child, dir, control, unread: Vec::new(), events: Vec::new() })
    }

    /// Sends one command of baresip's menu, `dial sip:600@host` for example.
    pub fn command(&mut self, line: &str) -> Result<(), String> {
        let (command, params) = line.split_once(' ').unwrap_or((line, ""));
        let text = json!({ "command": command, "params": params, "token": "t" }).to_string();
        let net = format!("{}:{text},", text.len());
        self.control.write_all(net.as_bytes()).map_err(|e| format!("{line}: {e}"))
    }

    /// Waits until the phone's log has this text: what happens before its control port opens
    /// is in no event.
    pub fn logged(&self, text: &str, patience: Duration) -> Result<(), String> {
        let there = || self.log().contains(text).then_some(());
        wait_for(patience, there)
            .ok_or_else(|| format!("baresip {}: no '{text}'; log:\n{}", self.name(), self.log()))
    }

    /// Waits for an event of this type; events before it are consumed.
    pub fn wait(&mut self, kind: &str, patience: Duration) -> Result<Value, String> {
        let found = wait_for(patience, || {
            self.pump();
            let at = self.events.iter().position(|e| e["type"] == kind)?;
            self.events.drain(..=at).next_back()
        });
        found.ok_or_else(|| format!("baresip {}: no {kind}; log:\n{}", self.name(), self.log()))
    }

    /// Seconds of `hz` in what this phone heard, over all its calls.
    pub fn heard(&self, hz: f64) -> Result<f64, String> {
        let mut total = 0.0;
        for entry in fs::read_dir(self.dir.join("rec")).map_err(|e| e.to_string())?.flatten() {
            if entry.file_name().to_string_lossy().ends_with("-dec.wav") {
                total += tone::seconds_of(&entry.path(), hz)?;
            }
        }
        Ok(total)
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    fn name(&self) -> String {
        self.dir.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Reads what came: netstrings of JSON.
    fn pump(&mut self) {
        let mut chunk = [0; 4096];
        while let Ok(n) = self.control.read(&mut chunk) {
            if n == 0 {
                break;
            }
            self.unread.extend_from_slice(&chunk[..n]);
        }
        while let Some(colon) = self.unread.iter().position(|b| *b == b':') {
            let len = String::from_utf8_lossy(&self.unread[..colon]).parse::<usize>();
            let Ok(len) = len else {
                self.unread.clear();
                return;
            };
            let end = colon + 1 + len;
            if self.unread.len() <= end {
                return;
            }
            if let Ok(value) = serde_json::from_slice(&self.unread[colon + 1..end]) {
                self.events.push(value);
            }
            self.unread.drain(..=end);
        }
    }
}

impl Drop for Baresip {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn config(dir: &std::path::Path, port: u16) -> String {
    let dir = dir.display();
    let modules = find_modules();
    let (control, first, last) = (port + 10, port + 100, port + 198);
    format!(
        "poll_method epoll\nsip_listen {HOST}:{port}\nnet_interface {HOST}\n\
         rtp_ports {first}-{last}\n\
         audio_player aufile,{dir}/play.wav\naudio_source aufile,{dir}/say.wav\n\
         audio_alert aufile,{dir}/alert.wav\nctrl_tcp_listen {HOST}:{control}\n\
         module_path {modules}\nmodule g711.so\nmodule aufile.so\n\
         module sndfile.so\nmodule_app account.so\nmodule_app contact.so\nmodule_app menu.so\n\
         module_app ctrl_tcp.so\nsnd_path {dir}/rec\n"
    )
}

fn find_modules() -> &'static str {
    const PLACES: [&str; 2] = ["/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules"];
    PLACES.into_iter().find(|p| std::path::Path::new(p).is_dir()).unwrap_or(PLACES[0])
}
