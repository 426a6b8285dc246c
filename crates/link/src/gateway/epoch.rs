//! Which process of an agent is the current one. Pure.

use serde::{Deserialize, Serialize};

/// The newest process of one agent that was accepted; kept in the state store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochState {
    pub instance: [u8; 16],
    pub epoch: u64,
}

/// What becomes of a process that said Hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Another link of the current process: it shares the epoch.
    Current(EpochState),
    /// A newer process: store this, then cut every link of older epochs.
    Newer(EpochState),
    /// An older process that came back: refuse it.
    Fenced { newest: u64 },
}

impl EpochState {
    /// `offered` is the epoch of the Hello; `held` the one the process says it was given before (0: none).
    ///
    /// A process is older when it once held an epoch and is not the current one: only newcomers move on.
    pub fn admit(current: Option<Self>, instance: [u8; 16], offered: u64, held: u64) -> Admission {
        match current {
            None => Admission::Newer(Self { instance, epoch: offered.max(1).max(held) }),
            Some(current) if current.instance == instance => Admission::Current(current),
            Some(current) if held != 0 && held <= current.epoch => {
                Admission::Fenced { newest: current.epoch }
            }
            Some(current) => {
                Admission::Newer(Self { instance, epoch: offered.max(held).max(current.epoch + 1) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [u8; 16] = [1; 16];
    const B: [u8; 16] = [2; 16];

    #[test]
    fn links_of_one_process_share_an_epoch_and_an_older_process_stays_out() {
        let Admission::Newer(first) = EpochState::admit(None, A, 7, 0) else { panic!("first is new") };
        assert_eq!(EpochState::admit(Some(first), A, 9, first.epoch), Admission::Current(first));
        let Admission::Newer(second) = EpochState::admit(Some(first), B, 8, 0) else { panic!("B is newer") };
        assert!(second.epoch > first.epoch);
        assert_eq!(
            EpochState::admit(Some(second), A, 99, first.epoch),
            Admission::Fenced { newest: second.epoch },
            "the epoch offered does not make an old process new"
        );
    }

    #[test]
    fn epochs_ascend_even_when_the_offer_is_lower() {
        let current = EpochState { instance: A, epoch: 50 };
        assert_eq!(
            EpochState::admit(Some(current), B, 3, 0),
            Admission::Newer(EpochState { instance: B, epoch: 51 })
        );
    }
}
