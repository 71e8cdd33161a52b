//! One suite for every engine: what a caller may rely on, checked through the trait alone.
//! Engines' own tests call [`all`] and [`differential`]; each panics on the first difference.
use crate::{CdrQuery, Engine, Memory};
use bitspath_core::net::{ListenerId, Transport};
use bitspath_core::store::{BindingRow, CdrCause, CdrId, CdrRow, OpId, Outcome, Request, Write};
use bitspath_core::{Duration, UnixTime};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A binding row that only its arguments decide.
pub fn binding(tenant: u8, user: u8, contact: u8, cseq: u32) -> BindingRow {
    let ip = Ipv4Addr::new(10, tenant, user, contact);
    BindingRow {
        tenant: format!("t{tenant}"),
        user: format!("10{user:02}"),
        contact: format!("<sip:10{user:02}@{ip}:5060>;q=0.{contact}"),
        instance: contact.is_multiple_of(2).then(|| format!("<urn:uuid:{contact}>")),
        q: 1000 - u16::from(contact),
        call_id: format!("reg-{user}-{contact}"),
        cseq,
        expires: UnixTime(u64::from(cseq) * 1_000_000_000),
        listener: ListenerId(0),
        transport: Transport::Udp,
        peer: SocketAddr::from((ip, 5060)),
        local: IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

/// A call record; `ended` decides whether it is open.
pub fn cdr(id: u128, tenant: u8, ended: Option<u64>) -> CdrRow {
    let cause = if ended.is_some() { CdrCause::CallerHungUp } else { CdrCause::Open };
    CdrRow {
        id: CdrId(id),
        tenant: format!("t{tenant}"),
        caller: "1001".to_owned(),
        callee: "1002".to_owned(),
        call_id: format!("call-{id}"),
        started: UnixTime(id as u64),
        answered: Some(UnixTime((id as u64).saturating_add(1))),
        ended: ended.map(UnixTime),
        billed: Duration::from_secs(ended.unwrap_or(0)),
        cause,
        status: 200,
        packets: [3, 4],
    }
}

pub fn request(op: u64, write: Write, durable: bool) -> Request {
    Request { op: OpId(op), write, durable }
}

fn put(engine: &mut impl Engine, writes: Vec<Write>) {
    let batch: Vec<Request> = writes.into_iter().map(|w| request(1, w, true)).collect();
    let outcomes = engine.apply(&batch);
    assert_eq!(outcomes, vec![Outcome::Done; batch.len()], "every request gets its outcome");
}

fn ids(engine: &impl Engine, query: &CdrQuery) -> Vec<u128> {
    let rows = engine.cdrs(query).unwrap_or_default();
    rows.into_iter().map(|r| r.id.0).collect()
}

/// Everything but [`differential`], each on a fresh engine.
pub fn all<E: Engine>(mut fresh: impl FnMut() -> E) {
    a_new_engine_is_empty(&fresh());
    rows_come_back_as_they_went_in(&mut fresh());
    a_request_carried_out_twice_leaves_the_same_state(&mut fresh());
    pages_walk_all_records_in_the_order_of_ids(&mut fresh());
    open_records_are_found_until_they_are_closed(&mut fresh());
    a_tenant_never_sees_the_rows_of_another(&mut fresh());
}

fn a_new_engine_is_empty(engine: &impl Engine) {
    assert_eq!(engine.bindings(), Ok(vec![]));
    assert_eq!(engine.cdrs(&CdrQuery::default()), Ok(vec![]));
}

fn rows_come_back_as_they_went_in(engine: &mut impl Engine) {
    let (row, record) = (binding(1, 1, 1, 7), cdr(9, 1, Some(4)));
    put(engine, vec![Write::PutBinding(row.clone()), Write::PutCdr(record.clone())]);
    assert_eq!(engine.bindings(), Ok(vec![row.clone()]));
    assert_eq!(engine.cdrs(&CdrQuery::default()), Ok(vec![record]));
    let BindingRow { tenant, user, contact, .. } = row;
    put(engine, vec![Write::DeleteBinding { tenant, user, contact }]);
    assert_eq!(engine.bindings(), Ok(vec![]));
}

fn a_request_carried_out_twice_leaves_the_same_state(engine: &mut impl Engine) {
    for _ in 0..2 {
        put(engine, vec![Write::PutBinding(binding(1, 1, 1, 7)), Write::PutCdr(cdr(9, 1, None))]);
    }
    assert_eq!(engine.bindings().map(|b| b.len()), Ok(1));
    assert_eq!(ids(engine, &CdrQuery::default()), [9]);
    let delete = Write::DeleteBinding {
        tenant: "t1".to_owned(),
        user: "1001".to_owned(),
        contact: "never there".to_owned(),
    };
    put(engine, vec![delete.clone(), delete]);
    assert_eq!(engine.bindings().map(|b| b.len()), Ok(1));
}

fn pages_walk_all_records_in_the_order_of_ids(engine: &mut impl Engine) {
    let order = [5u128, 1, 9, u128::MAX, 3];
    put(engine, order.map(|id| Write::PutCdr(cdr(id, (id % 2) as u8, Some(1)))).to_vec());
    let mut walked = Vec::new();
    let mut query = CdrQuery { limit: 2, ..CdrQuery::default() };
    loop {
        let page = ids(engine, &query);
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        query.after = Some(CdrId(*last));
        walked.extend(page);
    }
    assert_eq!(walked, [1, 3, 5, 9, u128::MAX]);
}

fn open_records_are_found_until_they_are_closed(engine: &mut impl Engine) {
    let open = CdrQuery { open_only: true, ..CdrQuery::default() };
    put(engine, vec![Write::PutCdr(cdr(1, 0, None)), Write::PutCdr(cdr(2, 0, None))]);
    assert_eq!(ids(engine, &open), [1, 2]);
    put(engine, vec![Write::PutCdr(cdr(1, 0, Some(8)))]);
    assert_eq!(ids(engine, &open), [2]);
    assert_eq!(ids(engine, &CdrQuery::default()), [1, 2]);
}

fn a_tenant_never_sees_the_rows_of_another(engine: &mut impl Engine) {
    put(engine, (0..6).map(|id| Write::PutCdr(cdr(id, (id % 3) as u8, None))).collect());
    let of = |t: &str| CdrQuery { tenant: Some(t.to_owned()), ..CdrQuery::default() };
    assert_eq!(ids(engine, &of("t1")), [1, 4]);
    assert_eq!(ids(engine, &of("t")), [0u128; 0]);
}

/// The same batches to `engine` and to the model; both must hold the same rows after each.
pub fn differential(engine: &mut impl Engine, batches: &[Vec<Request>]) {
    let mut model = Memory::default();
    for batch in batches {
        assert_eq!(engine.apply(batch), model.apply(batch));
        same(engine, &model);
    }
}

/// Panics unless both hold the same rows.
pub fn same(engine: &impl Engine, model: &impl Engine) {
    assert_eq!(engine.bindings(), model.bindings());
    for open_only in [false, true] {
        let query = CdrQuery { open_only, ..CdrQuery::default() };
        assert_eq!(engine.cdrs(&query), model.cdrs(&query));
    }
}
