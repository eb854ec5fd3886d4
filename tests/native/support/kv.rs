//! Workers KV in native tests: reads may be stale. Every write is kept, and a read may return one of the writes before
//! the newest, or what there was a while ago: nothing, or a value that is deleted since.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use keycap::ports::{KV_TTL_SECS, KeyValue, KvUnavailable, LocalFuture};

use super::effects::{Effects, Fate, meet};

/// A write of a value, or its deletion.
#[derive(Clone)]
struct Write {
    name: String,
    value: Option<String>,
    at_ms: i64,
    ends_at_ms: Option<i64>,
}

#[derive(Clone)]
pub struct Lagging {
    /// Every write, oldest first.
    writes: Rc<RefCell<Vec<Write>>>,
    /// A read returns the value that was written this many writes of the name ago; before the first write it finds
    /// nothing.
    pub behind: Rc<Cell<usize>>,
    /// A read sees only what was written or deleted so many milliseconds ago.
    pub lag_ms: Rc<Cell<i64>>,
    pub down: Rc<Cell<bool>>,
    now_ms: Rc<Cell<i64>>,
    effects: Effects,
}

impl Lagging {
    pub fn new(effects: Effects, now_ms: Rc<Cell<i64>>) -> Self {
        Self {
            writes: Rc::default(),
            behind: Rc::default(),
            lag_ms: Rc::default(),
            down: Rc::default(),
            now_ms,
            effects,
        }
    }

    pub fn copied(&self, effects: Effects, now_ms: Rc<Cell<i64>>) -> Self {
        let copy = Self::new(effects, now_ms);
        copy.writes.borrow_mut().clone_from(&self.writes.borrow());
        copy.behind.set(self.behind.get());
        copy.lag_ms.set(self.lag_ms.get());
        copy.down.set(self.down.get());
        copy
    }

    /// Every value that was ever written, oldest first.
    pub fn values(&self) -> Vec<String> {
        let writes = self.writes.borrow();
        writes
            .iter()
            .filter_map(|write| write.value.clone())
            .collect()
    }

    /// The names and values that KV has now, if it serves what was written last.
    pub fn stored(&self) -> Vec<(String, String)> {
        let writes = self.writes.borrow();
        let mut stored = std::collections::BTreeMap::new();
        for write in writes.iter() {
            stored.remove(&write.name);
            let is_over = write.ends_at_ms.is_some_and(|end| end <= self.now_ms.get());
            if let Some(value) = write.value.clone().filter(|_| !is_over) {
                stored.insert(write.name.clone(), value);
            }
        }
        stored.into_iter().collect()
    }

    pub fn forget(&self) {
        self.writes.borrow_mut().clear();
    }

    /// Someone else writes a value under the name that was written last.
    pub fn overwrite(&self, value: &str) {
        let name = self.writes.borrow().last().expect("a write").name.clone();
        self.put_by_hand(&name, value);
    }

    /// Someone else writes a value, which never ends.
    pub fn put_by_hand(&self, name: &str, value: &str) {
        let write = self.write(name, Some(value.to_owned()), None);
        self.writes.borrow_mut().push(write);
    }

    fn write(&self, name: &str, value: Option<String>, ttl_secs: Option<i64>) -> Write {
        let at_ms = self.now_ms.get();
        Write {
            name: name.to_owned(),
            value,
            at_ms,
            ends_at_ms: ttl_secs.map(|secs| at_ms + secs * 1_000),
        }
    }

    fn read(&self, name: &str) -> Result<Option<String>, KvUnavailable> {
        if self.down.get() {
            return Err(KvUnavailable);
        }
        let (now, lag) = (self.now_ms.get(), self.lag_ms.get());
        let writes = self.writes.borrow();
        let of_name = writes.iter().rev().filter(|write| write.name == name);
        let seen = of_name.filter(|write| write.at_ms + lag <= now);
        let found = seen.into_iter().nth(self.behind.get());
        let current = found.filter(|write| write.ends_at_ms.is_none_or(|end| now < end));
        Ok(current.and_then(|write| write.value.clone()))
    }

    /// Adds a write, now or later, as its fate says.
    async fn add(&self, effect: &str, write: Write) -> Result<(), KvUnavailable> {
        let fate = self.effects.next(String::from(effect));
        if fate.is_some_and(Fate::is_late) {
            let (writes, write) = (Rc::clone(&self.writes), write.clone());
            self.effects.keep(move || writes.borrow_mut().push(write));
        }
        let put = || match self.down.get() {
            true => Err(KvUnavailable),
            false => {
                self.writes.borrow_mut().push(write);
                Ok(())
            }
        };
        meet(fate, put).await.unwrap_or(Err(KvUnavailable))
    }
}

impl KeyValue for Lagging {
    fn get<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<Option<String>, KvUnavailable>> {
        Box::pin(async move {
            let fate = self.effects.next(String::from("kv get"));
            meet(fate, || self.read(name))
                .await
                .unwrap_or(Err(KvUnavailable))
        })
    }

    fn put<'a>(
        &'a self,
        name: &'a str,
        value: String,
        ttl_secs: Option<i64>,
    ) -> LocalFuture<'a, Result<(), KvUnavailable>> {
        Box::pin(async move {
            if ttl_secs.is_some_and(|secs| secs < KV_TTL_SECS) {
                return Err(KvUnavailable);
            }
            let write = self.write(name, Some(value), ttl_secs);
            self.add("kv put", write).await
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> LocalFuture<'a, Result<(), KvUnavailable>> {
        Box::pin(async move { self.add("kv delete", self.write(name, None, None)).await })
    }
}
