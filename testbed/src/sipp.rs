//! sipp: exact wire scripts. Scenarios lie in `testbed/sipp`; credentials go by a CSV file.
use crate::clock::wait_for;
use crate::pbx::{HOST, repository};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running sipp; killed on drop.
pub struct Sipp {
    child: Child,
    log: PathBuf,
}

/// One run of sipp: its scenario, its loopback address and port, and further arguments.
pub struct Run<'a> {
    pub name: &'a str,
    /// `Builtin("uac")` or a file of `testbed/sipp`.
    pub scenario: Scenario<'a>,
    pub ip: &'a str,
    pub port: u16,
    pub server_port: u16,
    pub csv: Option<String>,
    pub more: &'a [&'a str],
}

#[derive(Clone, Copy)]
pub enum Scenario<'a> {
    Builtin(&'a str),
    File(&'a str),
}

impl Sipp {
    pub fn start(dir: &Path, run: &Run<'_>) -> Result<Sipp, String> {
        let log = dir.join(format!("sipp-{}.log", run.name));
        let out = fs::File::create(&log).map_err(|e| e.to_string())?;
        let err = out.try_clone().map_err(|e| e.to_string())?;
        let mut sipp = Command::new("sipp");
        sipp.arg(format!("{HOST}:{}", run.server_port));
        match run.scenario {
            Scenario::Builtin(name) => sipp.args(["-sn", name]),
            Scenario::File(name) => {
                sipp.arg("-sf").arg(repository().join("testbed/sipp").join(name))
            }
        };
        sipp.args(["-i", run.ip, "-p", &run.port.to_string(), "-mi", run.ip, "-nostdin"]);
        if let Some(csv) = &run.csv {
            let file = dir.join(format!("sipp-{}.csv", run.name));
            fs::write(&file, csv).map_err(|e| e.to_string())?;
            sipp.arg("-inf").arg(file);
        }
        sipp.args(["-trace_err", "-error_file"]).arg(dir.join(format!("sipp-{}.err", run.name)));
        let child = sipp
            .args(run.more)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .spawn()
            .map_err(|e| format!("sipp: {e}"))?;
        Ok(Sipp { child, log })
    }

    /// Waits for the end; sipp's exit code 0 means that every call passed.
    pub fn finish(mut self, patience: Duration) -> Result<(), String> {
        let Some(status) = wait_for(patience, || self.child.try_wait().ok().flatten()) else {
            return Err(format!("sipp did not end in {patience:?}:\n{}", self.tail()));
        };
        if status.success() {
            return Ok(());
        }
        Err(format!("sipp: {status}:\n{}", self.tail()))
    }

    fn tail(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let err = fs::read_to_string(self.log.with_extension("err")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(40);
        format!("{}\n{}", lines[from..].join("\n"), err.chars().take(2_000).collect::<String>())
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
