//! The operator's side of the control socket: JSON lines to and from a running server.
use bitspath_core::Fault;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A server that runs in this data directory.
pub struct Server {
    to: UnixStream,
    from: BufReader<UnixStream>,
}

impl Server {
    /// `None`: no server runs there.
    pub fn reach(socket: &Path) -> Result<Option<Server>, Fault> {
        match bitspath_shell::control::connect(socket) {
            Ok(to) => {
                let from = to.try_clone().map_err(|e| fault(socket, &e))?;
                Ok(Some(Server { to, from: BufReader::new(from) }))
            }
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                Ok(None)
            }
            Err(e) => Err(fault(socket, &e)),
        }
    }

    /// Sends a command and gives each line of the answer, until `each` says stop.
    pub fn ask(&mut self, command: &str, mut each: impl FnMut(Value) -> bool) -> Result<(), Fault> {
        let gone = |e: std::io::Error| Fault::new(format!("the server hung up: {e}"));
        writeln!(self.to, "{}", json!({ "cmd": command })).map_err(gone)?;
        for line in self.from.by_ref_lines() {
            let value: Value = serde_json::from_str(&line.map_err(gone)?)
                .map_err(|e| Fault::new(format!("the server says what is no JSON: {e}")))?;
            if let Some(error) = value.get("error").and_then(Value::as_str) {
                return Err(Fault::new(error));
            }
            if value.get("done").is_some() || !each(value) {
                return Ok(());
            }
        }
        Ok(())
    }
}

trait Lines {
    fn by_ref_lines(&mut self) -> impl Iterator<Item = std::io::Result<String>>;
}

impl Lines for BufReader<UnixStream> {
    /// The reader stays: the next command's answer comes the same way.
    fn by_ref_lines(&mut self) -> impl Iterator<Item = std::io::Result<String>> {
        std::iter::from_fn(|| {
            let mut line = String::new();
            match self.read_line(&mut line) {
                Ok(0) => None,
                Ok(_) => Some(Ok(line)),
                Err(e) => Some(Err(e)),
            }
        })
    }
}

fn fault(socket: &Path, e: &std::io::Error) -> Fault {
    Fault::new(format!("cannot reach the server at {}: {e}", socket.display()))
}
