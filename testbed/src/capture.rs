//! What was on the wire: tshark's own capture of the loopback, judged later by our decoder and
//! by its own.
use crate::clock::{pause, wait_for};
use crate::pbx::terminate;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub struct Capture {
    child: Child,
    pub file: PathBuf,
}

impl Capture {
    /// Captures loopback traffic of the server's ports into `file`.
    pub fn start(file: &Path, filter: &str) -> Result<Capture, String> {
        let child = Command::new("tshark")
            .args(["-q", "-i", "lo", "-f", filter, "-w"])
            .arg(file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| format!("tshark: {e}"))?;
        let open = || file.metadata().is_ok_and(|m| m.len() > 0).then_some(());
        wait_for(Duration::from_secs(8), open).ok_or("tshark captures nothing here")?;
        pause(Duration::from_millis(200));
        Ok(Capture { child, file: file.to_path_buf() })
    }

    /// Ends the capture and gives the lines that tshark's filter and field list select.
    pub fn finish(mut self, filter: &str, fields: &[&str]) -> Result<Vec<String>, String> {
        pause(Duration::from_millis(500));
        terminate(self.child.id());
        let _ = self.child.wait();
        let mut tshark = Command::new("tshark");
        tshark.arg("-r").arg(&self.file).args(["-Y", filter, "-T", "fields"]);
        for field in fields {
            tshark.args(["-e", field]);
        }
        let out = tshark.stderr(Stdio::null()).output().map_err(|e| format!("tshark: {e}"))?;
        Ok(String::from_utf8_lossy(&out.stdout).lines().map(str::to_owned).collect())
    }
}
