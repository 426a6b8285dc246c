//! Packs: one file with the small parts of many organisations, so that each does not cost a file.
//!
//! A pack goes from the disk when the last of its parts does. Its parts have no indexes; merging gives them some.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::discard;
use crate::fs::Fs;

/// One pack, shared by its parts.
#[derive(Debug)]
pub(crate) struct Pack {
    path: PathBuf,
    fs: Arc<dyn Fs>,
    /// Parts that are still there.
    left: AtomicU32,
}

impl Pack {
    /// One of its parts is gone for good.
    pub fn leave(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            discard(self.fs.as_ref(), &self.path);
        }
    }
}

/// Packs that parts are open in, by path.
#[derive(Debug, Default)]
pub(crate) struct Packs(Mutex<HashMap<PathBuf, Weak<Pack>>>);

impl Packs {
    /// The pack of one more part.
    pub fn join(&self, fs: &Arc<dyn Fs>, path: PathBuf) -> Arc<Pack> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pack) = all.get(&path).and_then(Weak::upgrade) {
            pack.left.fetch_add(1, Ordering::AcqRel);
            return pack;
        }
        all.retain(|_, pack| pack.strong_count() > 0);
        let pack = Arc::new(Pack { path: path.clone(), fs: Arc::clone(fs), left: AtomicU32::new(1) });
        all.insert(path, Arc::downgrade(&pack));
        pack
    }
}
