//! Packets to a pcapng: one interface of raw IP, times in nanoseconds.
use super::{Carrier, Packet, ip};
use bitspath_core::Fault;
use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption, InterfaceTsResolution,
};
use pcap_file::pcapng::blocks::opt_common::CommonOption;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

/// Payload octets of one synthetic TCP segment; IP has 16 bits for its length.
const SEGMENT_BYTES_MAX: usize = 65_000;

/// A capture being written.
pub struct Capture<W: Write> {
    file: PcapNgWriter<W>,
    /// Octets that each TCP direction has carried.
    sent: BTreeMap<(SocketAddr, SocketAddr), u32>,
    identification: u16,
}

impl<W: Write> Capture<W> {
    pub fn new(to: W) -> Result<Self, Fault> {
        let mut file = PcapNgWriter::new(to).map_err(fault)?;
        file.write_pcapng_block(InterfaceDescriptionBlock {
            linktype: DataLink::RAW,
            snaplen: 0,
            options: vec![InterfaceDescriptionOption::IfTsResol(InterfaceTsResolution::NANO)],
        })
        .map_err(fault)?;
        Ok(Capture { file, sent: BTreeMap::new(), identification: 0 })
    }

    /// One UDP datagram.
    pub fn udp(
        &mut self,
        at: Duration,
        source: SocketAddr,
        destination: SocketAddr,
        payload: &[u8],
    ) -> Result<(), Fault> {
        self.put(at, source, destination, Carrier::Udp, payload, None)
    }

    /// Octets of a stream, with the sequence numbers of a connection that began at 1.
    pub fn tcp(
        &mut self,
        at: Duration,
        source: SocketAddr,
        destination: SocketAddr,
        payload: &[u8],
    ) -> Result<(), Fault> {
        for part in payload.chunks(SEGMENT_BYTES_MAX) {
            let before = self.sent.entry((source, destination)).or_insert(1);
            let seq = *before;
            *before = seq.wrapping_add(part.len() as u32);
            self.put(at, source, destination, Carrier::Tcp { seq }, part, None)?;
        }
        Ok(())
    }

    /// A packet as it is, with a remark that Wireshark shows.
    pub fn packet(&mut self, packet: &Packet, remark: Option<&str>) -> Result<(), Fault> {
        let Packet { at, source, destination, carrier, payload } = packet;
        self.put(*at, *source, *destination, *carrier, payload, remark)
    }

    pub fn finish(self) -> W {
        self.file.into_inner()
    }

    fn put(
        &mut self,
        at: Duration,
        source: SocketAddr,
        destination: SocketAddr,
        carrier: Carrier,
        payload: &[u8],
        remark: Option<&str>,
    ) -> Result<(), Fault> {
        self.identification = self.identification.wrapping_add(1);
        let ack = self.sent.get(&(destination, source)).copied().unwrap_or(1);
        let data = ip::emit(source, destination, carrier, ack, self.identification, payload)
            .ok_or_else(|| Fault::new("a packet of mixed address families or above 64 KiB"))?;
        let comment =
            |text| EnhancedPacketOption::Common(CommonOption::Comment(Cow::Borrowed(text)));
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: at,
            original_len: data.len() as u32,
            data: Cow::Owned(data),
            options: remark.map(comment).into_iter().collect(),
        };
        self.file.write_pcapng_block(block).map(|_| ()).map_err(fault)
    }
}

fn fault(e: impl std::fmt::Display) -> Fault {
    Fault::new(format!("cannot write the capture: {e}"))
}
