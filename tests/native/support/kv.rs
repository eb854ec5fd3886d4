//! Workers KV in native tests: reads may be stale. Every write is kept, and a read may return one of the writes before
//! the newest.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use keycap::ports::{KeyValue, KvUnavailable, LocalFuture};

use super::effects::{Effects, meet};

#[derive(Clone)]
pub struct Lagging {
    /// Every write, oldest first.
    writes: Rc<RefCell<Vec<(String, String)>>>,
    /// A read returns the value that was written this many writes of the name ago; before the first write it finds
    /// nothing.
    pub behind: Rc<Cell<usize>>,
    pub down: Rc<Cell<bool>>,
    effects: Effects,
}

impl Lagging {
    pub fn new(effects: Effects) -> Self {
        Self {
            writes: Rc::default(),
            behind: Rc::default(),
            down: Rc::default(),
            effects,
        }
    }

    pub fn copied(&self, effects: Effects) -> Self {
        let copy = Self::new(effects);
        copy.writes.borrow_mut().clone_from(&self.writes.borrow());
        copy.behind.set(self.behind.get());
        copy.down.set(self.down.get());
        copy
    }

    /// Every value that was ever written, oldest first.
    pub fn values(&self) -> Vec<String> {
        let writes = self.writes.borrow();
        writes.iter().map(|(_, value)| value.clone()).collect()
    }

    pub fn forget(&self) {
        self.writes.borrow_mut().clear();
    }

    /// Someone else writes a value under the name that was written last.
    pub fn overwrite(&self, value: &str) {
        let name = self.writes.borrow().last().expect("a write").0.clone();
        self.writes.borrow_mut().push((name, value.to_owned()));
    }

    fn read(&self, name: &str) -> Result<Option<String>, KvUnavailable> {
        if self.down.get() {
            return Err(KvUnavailable);
        }
        let writes = self.writes.borrow();
        let of_name = writes.iter().rev().filter(|(written, _)| written == name);
        let seen = of_name.map(|(_, value)| value.clone());
        Ok(seen.into_iter().nth(self.behind.get()))
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
    ) -> LocalFuture<'a, Result<(), KvUnavailable>> {
        Box::pin(async move {
            let fate = self.effects.next(String::from("kv put"));
            let write = (name.to_owned(), value);
            if fate.is_some_and(super::effects::Fate::is_late) {
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
        })
    }
}
