//! [`Table`]: objects by generational id, bounded. [`Index`]: keys to ids, keyed hash, no iteration
//! that could leak an order. Brim policy of both: the insert is refused and the caller answers.
use crate::limits::Full;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{BuildHasher, Hash};
use core::marker::PhantomData;
use hashbrown::HashMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use siphasher::sip::SipHasher13;

/// A place in a `Table<T>` and the generation of its tenant; a stale id finds nothing.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Id<T> {
    index: u32,
    generation: u32,
    #[serde(skip)]
    of: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    /// Both halves as one number, for ledgers, metrics and entropy keys.
    pub const fn as_u64(self) -> u64 {
        (self.generation as u64) << 32 | self.index as u64
    }
    pub const fn from_u64(raw: u64) -> Self {
        Id { index: raw as u32, generation: (raw >> 32) as u32, of: PhantomData }
    }
}

// By hand, because a derive would ask the same of `T`.
impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for Id<T> {}
impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.as_u64() == other.as_u64()
    }
}
impl<T> Eq for Id<T> {}
impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.as_u64().cmp(&other.as_u64())
    }
}
impl<T> Hash for Id<T> {
    fn hash<H: core::hash::Hasher>(&self, state: &mut H) {
        self.as_u64().hash(state);
    }
}
impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}.{}", self.index, self.generation)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

/// Objects by id, at most `capacity` of them; slots are made as they are first needed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Table<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    capacity: u32,
}

impl<T> Table<T> {
    pub const fn new(capacity: u32) -> Self {
        Table { slots: Vec::new(), free: Vec::new(), capacity }
    }

    /// Inserts, or refuses with [`Full`] at the capacity.
    pub fn insert(&mut self, value: T) -> Result<Id<T>, Full> {
        let index = match self.free.pop() {
            Some(index) => index,
            None if self.slots.len() < self.capacity as usize => {
                self.slots.push(Slot { generation: 0, value: None });
                self.slots.len() as u32 - 1
            }
            None => return Err(Full),
        };
        let slot = &mut self.slots[index as usize];
        slot.value = Some(value);
        Ok(Id { index, generation: slot.generation, of: PhantomData })
    }

    /// Removes for good: the id never finds anything again.
    pub fn remove(&mut self, id: Id<T>) -> Option<T> {
        let slot = self.slot_mut(id)?;
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(id.index);
        Some(value)
    }

    /// Takes the value out but keeps its place, to step it under `catch_unwind`; end with
    /// [`put_back`](Self::put_back) or [`bury`](Self::bury).
    pub fn take(&mut self, id: Id<T>) -> Option<T> {
        self.slot_mut(id)?.value.take()
    }

    /// Puts a taken value back in its kept place.
    pub fn put_back(&mut self, id: Id<T>, value: T) {
        match self.slot_mut(id) {
            Some(slot) if slot.value.is_none() => slot.value = Some(value),
            _ => crate::bug!("{id:?} was not taken out"),
        }
    }

    /// Gives up the kept place of a value that was taken and did not come back.
    pub fn bury(&mut self, id: Id<T>) {
        match self.slot_mut(id) {
            Some(slot) if slot.value.is_none() => {
                slot.generation = slot.generation.wrapping_add(1);
                self.free.push(id.index);
            }
            _ => crate::bug!("{id:?} was not taken out"),
        }
    }

    pub fn get(&self, id: Id<T>) -> Option<&T> {
        let slot = self.slots.get(id.index as usize)?;
        if slot.generation == id.generation { slot.value.as_ref() } else { None }
    }

    pub fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        self.slot_mut(id)?.value.as_mut()
    }

    /// In the order of slots, which is the same in every run.
    pub fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let id = Id { index: index as u32, generation: slot.generation, of: PhantomData };
            slot.value.as_ref().map(|v| (id, v))
        })
    }

    /// Live objects, those taken out included.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn slot_mut(&mut self, id: Id<T>) -> Option<&mut Slot<T>> {
        self.slots.get_mut(id.index as usize).filter(|s| s.generation == id.generation)
    }
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Keyed(u64, u64);

impl BuildHasher for Keyed {
    type Hasher = SipHasher13;
    fn build_hasher(&self) -> SipHasher13 {
        SipHasher13::new_with_keys(self.0, self.1)
    }
}

/// Keys to small values by a hash that peers cannot foretell. There is no iteration.
#[derive(Clone, Debug)]
pub struct Index<K, V> {
    map: HashMap<K, V, Keyed>,
    capacity: u32,
}

impl<K: Eq + Hash, V> Index<K, V> {
    /// `key` comes from [`Entropy`](crate::Entropy) with `Purpose::TableKey`.
    pub fn new(capacity: u32, key: (u64, u64)) -> Self {
        Index { map: HashMap::with_hasher(Keyed(key.0, key.1)), capacity }
    }

    /// Inserts or replaces (giving the old value); refuses a new key at the capacity.
    pub fn insert(&mut self, key: K, value: V) -> Result<Option<V>, Full> {
        if self.map.len() >= self.capacity as usize && !self.map.contains_key(&key) {
            return Err(Full);
        }
        Ok(self.map.insert(key, value))
    }

    pub fn get<Q: ?Sized + Eq + Hash>(&self, key: &Q) -> Option<&V>
    where
        K: core::borrow::Borrow<Q>,
    {
        self.map.get(key)
    }

    pub fn get_mut<Q: ?Sized + Eq + Hash>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: core::borrow::Borrow<Q>,
    {
        self.map.get_mut(key)
    }

    pub fn remove<Q: ?Sized + Eq + Hash>(&mut self, key: &Q) -> Option<V>
    where
        K: core::borrow::Borrow<Q>,
    {
        self.map.remove(key)
    }

    pub fn len(&self) -> usize {
        self.map.len()
    }

    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }
}

/// Frozen in the order of keys, so that equal indexes freeze to equal bytes.
impl<K: Ord + Serialize, V: Serialize> Serialize for Index<K, V> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut rows: Vec<(&K, &V)> = self.map.iter().collect();
        rows.sort_unstable_by_key(|(k, _)| *k);
        (self.capacity, self.map.hasher(), rows).serialize(s)
    }
}

impl<'de, K, V> Deserialize<'de> for Index<K, V>
where
    K: Eq + Hash + Deserialize<'de>,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let (capacity, keyed, rows) = <(u32, Keyed, Vec<(K, V)>)>::deserialize(d)?;
        let mut map = HashMap::with_capacity_and_hasher(rows.len(), keyed);
        map.extend(rows);
        Ok(Index { map, capacity })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::freeze::{freeze, thaw};

    #[test]
    fn a_stale_id_finds_nothing_and_the_slot_is_used_again() {
        let mut t = Table::new(1);
        let a = t.insert("a").expect("room for one");
        assert_eq!(t.insert("b"), Err(Full));
        assert_eq!(t.remove(a), Some("a"));
        let b = t.insert("b").expect("room again");
        assert_ne!(a, b);
        assert_eq!(t.remove(a), None);
        assert_eq!((t.get(a), t.get(b)), (None, Some(&"b")));
    }

    #[test]
    fn a_taken_value_keeps_its_place_until_put_back_or_buried() {
        let mut t = Table::new(4);
        let a = t.insert(1).expect("room");
        let v = t.take(a).expect("there");
        assert_eq!((t.get(a), t.len()), (None, 1));
        t.put_back(a, v);
        assert_eq!(t.get(a), Some(&1));
        t.take(a);
        t.bury(a);
        assert_eq!((t.get(a), t.len()), (None, 0));
    }

    #[test]
    fn an_index_freezes_to_the_same_bytes_whatever_the_insert_order() {
        let mut x = Index::new(8, (1, 2));
        let mut y = Index::new(8, (1, 2));
        for k in 0..6u32 {
            x.insert(k, k * 2).expect("room");
            y.insert(5 - k, (5 - k) * 2).expect("room");
        }
        assert_eq!(freeze(&x), freeze(&y));
        let z: Index<u32, u32> = thaw(&freeze(&x).0).expect("thaws");
        assert_eq!((z.get(&3), z.len()), (Some(&6), 6));
    }
}
