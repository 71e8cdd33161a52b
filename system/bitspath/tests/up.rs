//! The binaries as a person uses them: first start, an answer, a recording, a replay, the end.
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

const BITSPATH: &str = env!("CARGO_BIN_EXE_bitspath");
const SIP_SERVER: &str = env!("CARGO_BIN_EXE_sip_server");

struct Up {
    child: Child,
    lines: Vec<String>,
    dir: PathBuf,
    port: u16,
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn scratch(name: &str) -> PathBuf {
    let long =
        "a-directory-whose-name-is-longer-than-the-address-of-a-unix-socket-may-be".repeat(2);
    std::env::temp_dir().join(format!("bitspath-{name}-{}", std::process::id())).join(long)
}

/// The n-th port of this test, above a base that nobody listens on: others run at the same time.
/// All of them, and those of the media above, lie below the ports that the system hands out.
fn port(n: u16) -> u16 {
    static BASE: OnceLock<u16> = OnceLock::new();
    let is_free = |p: u16| {
        let (udp, tcp) = (UdpSocket::bind(("127.0.0.1", p)), TcpListener::bind(("127.0.0.1", p)));
        udp.is_ok() && tcp.is_ok()
    };
    let from = (std::process::id() % 500) as u16;
    let mut bases = (0..500).map(|k| 12_000 + (from + k) % 500 * 20);
    let base = BASE.get_or_init(|| {
        let base = bases.find(|base| (0..20).all(|n| is_free(base + n)));
        base.unwrap_or_else(|| panic!("no 20 ports are free"))
    });
    base + n
}

fn run(program: &str, args: &[&str], data: &Path) -> Output {
    let out = Command::new(program).args(args).arg("--data").arg(data).output();
    out.unwrap_or_else(|e| panic!("{program}: {e}"))
}

fn up(name: &str, port: u16) -> Up {
    let dir = scratch(name);
    let _ = std::fs::remove_dir_all(&dir);
    let mut child = Command::new(BITSPATH)
        .args(["up", "--bind", "127.0.0.1", "--base-port", &port.to_string(), "--data"])
        .arg(&dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{e}"));
    let out = child.stdout.take().map(BufReader::new);
    let mut lines = Vec::new();
    for line in out.into_iter().flat_map(BufRead::lines).map_while(Result::ok) {
        let ready = line == "ready";
        lines.push(line);
        if ready {
            break;
        }
    }
    Up { child, lines, dir, port }
}

fn ask_options(port: u16) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap_or_else(|e| panic!("{e}"));
    let _ = socket.set_read_timeout(Some(Duration::from_secs(2)));
    let text = "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKx;rport\r\n\
        Max-Forwards: 70\r\nFrom: <sip:probe@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\n\
        Call-ID: probe\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    let _ = socket.send_to(text.as_bytes(), ("127.0.0.1", port));
    let mut buffer = [0; 4096];
    let got = socket.recv(&mut buffer).unwrap_or(0);
    String::from_utf8_lossy(buffer.get(..got).unwrap_or_default()).into_owned()
}

#[test]
fn a_first_start_is_ready_answers_records_replays_and_ends_when_told() {
    let mut up = up("first", port(0));
    assert_eq!(up.lines.last().map(String::as_str), Some("ready"), "{:?}", up.lines);
    let said = |part: &str| up.lines.iter().any(|l| l.contains(part));
    assert!(said(&format!("127.0.0.1:{}", up.port)) && said("1005") && said("flight"));
    assert!(ask_options(up.port).starts_with("SIP/2.0 200 "));

    let file = up.dir.join("saved.flight");
    let out = Command::new(BITSPATH)
        .args(["flight", "save", "--call", "probe", "-o"])
        .arg(&file)
        .arg("--data")
        .arg(&up.dir)
        .output()
        .unwrap_or_else(|e| panic!("{e}"));
    assert!(out.status.success(), "{out:?}");
    let replay = |file: &Path| Command::new(SIP_SERVER).arg("--replay").arg(file).output();
    let out = replay(&file).unwrap_or_else(|e| panic!("{e}"));
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert!(out.status.success() && text.contains("all equal"), "{text}{out:?}");
    assert!(text.contains("marked: probe"), "{text}");

    let mut bytes = std::fs::read(&file).unwrap_or_default();
    let middle = bytes.len() / 2;
    bytes.iter_mut().skip(middle).take(1).for_each(|b| *b ^= 1);
    let _ = std::fs::write(&file, bytes);
    let out = replay(&file).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&out.stderr).contains("record "), "{out:?}");

    assert_eq!(run(BITSPATH, &["cdr"], &up.dir).status.code(), Some(0));
    let second = run(BITSPATH, &["up", "--base-port", &(port(1)).to_string()], &up.dir);
    assert_eq!(second.status.code(), Some(2), "one server per data directory");
    let _ = Command::new("kill").arg(up.child.id().to_string()).status();
    let ended = up.child.wait().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(ended.code(), Some(0));
    assert!(!up.dir.join("control.sock").exists());
}

#[test]
fn what_cannot_be_used_is_told_in_one_line_with_exit_code_2() {
    let taken = UdpSocket::bind(("127.0.0.1", port(10))).unwrap_or_else(|e| panic!("{e}"));
    let args = ["up", "--bind", "127.0.0.1", "--base-port", &port(10).to_string()];
    let dir = scratch("taken");
    let out = run(BITSPATH, &args, &dir);
    let _ = std::fs::remove_dir_all(&dir);
    drop(taken);
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!((out.status.code(), told.lines().count()), (Some(2), 1), "{told}");
    assert!(told.contains(&port(10).to_string()), "{told}");

    let out = run(BITSPATH, &["up"], Path::new("/dev/null/data"));
    let told = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!((out.status.code(), told.lines().count()), (Some(2), 1), "{told}");
    assert!(told.contains("/dev/null/data"), "{told}");
}
