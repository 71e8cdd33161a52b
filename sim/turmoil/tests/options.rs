//! The production loop answers OPTIONS over UDP and TCP inside turmoil, and ends when told to.
use bitspath_core::Bytes;
use bitspath_core::net::Transport;
use bitspath_server::config::Listener;
use bitspath_server::{Config, Input, Overrides, Start};
use bitspath_shell::run::{Handle, NoMedia, Setup, run};
use bitspath_shell::storage::Inline;
use bitspath_store::Memory;
use sim_turmoil::{PATIENCE, TurmoilEnv};
use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turmoil::net::{TcpStream, UdpSocket};

const CONFIG: &str = "[listen]\nudp = [\"0.0.0.0:5060\"]\ntcp = [\"0.0.0.0:5060\"]\n\
    [[tenant]]\nname = \"a\"\n";

type Outcome = Result<(), Box<dyn std::error::Error>>;

async fn pbx() -> Outcome {
    let (handle, ends) = Handle::new();
    let listeners: Vec<Listener> = Config::parse(CONFIG).map_err(|e| format!("{e:?}"))?.listeners;
    assert!(listeners.iter().any(|l| l.transport == Transport::Tcp));
    let start = Start {
        config: Bytes::from_static(CONFIG.as_bytes()),
        key: [1; 32],
        nonce_key: [2; 32],
        node: 0,
        bindings: Vec::new(),
        open_cdrs: Vec::new(),
        local_addrs: vec![turmoil::lookup("pbx")],
        overrides: Overrides::default(),
        guest: None,
        build_id: 0,
    };
    let setup = Setup {
        start,
        listeners,
        recorder: None,
        store: Box::new(Inline::new(Memory::default(), handle.mailbox.clone())),
        media: Box::new(NoMedia(handle.mailbox.clone())),
        ends,
        ready: Box::new(|_, _| {}),
    };
    let mailbox = handle.mailbox.clone();
    tokio::task::spawn_local(async move {
        tokio::time::sleep(PATIENCE * 2).await;
        mailbox.post(Input::Shutdown { now_end_calls: true });
    });
    run(TurmoilEnv::new([3; 32]), setup).await?;
    Ok(())
}

fn options(transport: &str, local: SocketAddr) -> String {
    format!(
        "OPTIONS sip:pbx SIP/2.0\r\nVia: SIP/2.0/{transport} {local};branch=z9hG4bK{transport}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:probe@{local}>;tag=1\r\nTo: <sip:pbx>\r\n\
         Call-ID: {transport}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

async fn over_udp(pbx: SocketAddr) -> Result<String, Box<dyn std::error::Error>> {
    let socket = UdpSocket::bind("0.0.0.0:5070").await?;
    socket.send_to(options("UDP", "192.168.9.9:5070".parse()?).as_bytes(), pbx).await?;
    let mut buffer = vec![0; 4096];
    let (length, from) = tokio::time::timeout(PATIENCE, socket.recv_from(&mut buffer)).await??;
    assert_eq!(from, pbx);
    Ok(String::from_utf8(buffer.get(..length).unwrap_or_default().to_vec())?)
}

async fn over_tcp(pbx: SocketAddr) -> Result<String, Box<dyn std::error::Error>> {
    let mut stream = TcpStream::connect(pbx).await?;
    let text = options("TCP", stream.local_addr()?);
    let (first, second) = text.split_at(40);
    stream.write_all(first.as_bytes()).await?;
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    stream.write_all(second.as_bytes()).await?;
    let mut got = Vec::new();
    while !got.ends_with(b"\r\n\r\n") {
        tokio::time::timeout(PATIENCE, stream.read_buf(&mut got)).await??;
    }
    Ok(String::from_utf8(got)?)
}

/// One simulated run: both answers.
fn both_answers() -> (String, String) {
    let mut sim = turmoil::Builder::new().simulation_duration(PATIENCE * 4).rng_seed(7).build();
    sim.host("pbx", pbx);
    let heard: Rc<Cell<Option<(String, String)>>> = Rc::default();
    let to = heard.clone();
    sim.client("phone", async move {
        // The host's listeners open in its first tick.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let pbx = SocketAddr::new(turmoil::lookup("pbx"), 5060);
        to.set(Some((over_udp(pbx).await?, over_tcp(pbx).await?)));
        tokio::time::sleep(PATIENCE * 3).await;
        Ok(())
    });
    sim.run().unwrap_or_else(|e| panic!("the simulation fails: {e}"));
    assert!(!sim.is_host_running("pbx"), "it has drained and ended");
    heard.take().unwrap_or_else(|| panic!("the phone has heard nothing"))
}

#[test]
fn the_production_loop_answers_options_over_udp_and_tcp_and_ends_when_told() {
    let (udp, tcp) = both_answers();
    for (text, transport) in [(&udp, "UDP"), (&tcp, "TCP")] {
        assert!(text.starts_with("SIP/2.0 200 "), "{text}");
        assert!(text.contains(&format!("Call-ID: {transport}\r\n")), "{text}");
    }
}

#[test]
fn two_runs_say_the_same_octets() {
    assert_eq!(both_answers(), both_answers());
}
