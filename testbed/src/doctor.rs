//! Which foreign peers are here. A case names the programs that it needs; what is missing is
//! skipped loudly and counted, never silently passed.
use std::path::PathBuf;
use std::process::ExitCode;

/// A foreign program: its name on the PATH, its Debian package, what the testbed uses it for.
pub struct Peer {
    pub program: &'static str,
    pub package: &'static str,
    pub used_for: &'static str,
}

pub const PEERS: &[Peer] = &[
    Peer { program: "baresip", package: "baresip-core", used_for: "softphones that talk" },
    Peer { program: "sipp", package: "sip-tester", used_for: "exact wire scripts and load" },
    Peer { program: "sipsak", package: "sipsak", used_for: "OPTIONS from another stack" },
    Peer { program: "tshark", package: "tshark", used_for: "captures and a foreign decoder" },
];

/// Where `program` lies on the PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// Those of `programs` that are not installed.
pub fn missing(programs: &[&str]) -> Vec<String> {
    programs
        .iter()
        .filter(|p| find(p).is_none())
        .map(|p| {
            let peer = PEERS.iter().find(|peer| peer.program == *p);
            format!("{p} (Debian package {})", peer.map_or("unknown", |peer| peer.package))
        })
        .collect()
}

pub fn print() -> ExitCode {
    for peer in PEERS {
        let place = find(peer.program).map_or_else(
            || format!("MISSING: apt-get install {}", peer.package),
            |p| p.display().to_string(),
        );
        println!("{:10} {:34} {}", peer.program, peer.used_for, place);
    }
    let gone = PEERS.iter().filter(|p| find(p.program).is_none()).count();
    println!("{} of {} peers are here", PEERS.len() - gone, PEERS.len());
    ExitCode::SUCCESS
}
