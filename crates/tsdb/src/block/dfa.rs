//! Walks an FST of `name 0xff value` keys with a regular expression over the value.

use fst::Automaton as FstAutomaton;
use regex_automata::Anchored;
use regex_automata::dfa::{Automaton, dense};
use regex_automata::util::primitives::StateID;
use regex_automata::util::{start, syntax};

/// Bytes a compiled automaton may take; larger patterns are tried value by value.
const SIZE_LIMIT: usize = 1 << 20;

/// Accepts keys of one label whose value the pattern matches.
pub(super) struct ValueAutomaton {
    /// `name 0xff`.
    prefix: Vec<u8>,
    dfa: dense::DFA<Vec<u32>>,
    start: StateID,
}

#[derive(Clone, Copy)]
pub(super) enum Place {
    Prefix(usize),
    Value(StateID),
    Dead,
}

impl ValueAutomaton {
    /// `None` when the pattern is too large for an automaton or has no form as one.
    pub fn new(prefix: Vec<u8>, pattern: &str) -> Option<Self> {
        let limits = dense::Config::new()
            .dfa_size_limit(Some(SIZE_LIMIT))
            .determinize_size_limit(Some(SIZE_LIMIT))
            .start_kind(regex_automata::dfa::StartKind::Anchored);
        let rules = syntax::Config::new().dot_matches_new_line(true);
        let dfa = dense::Builder::new().configure(limits).syntax(rules).build(pattern).ok()?;
        let start = dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).ok()?;
        Some(Self { prefix, dfa, start })
    }
}

impl FstAutomaton for ValueAutomaton {
    type State = Place;

    fn start(&self) -> Place {
        Place::Prefix(0)
    }

    fn is_match(&self, place: &Place) -> bool {
        match place {
            Place::Value(state) => self.dfa.is_match_state(self.dfa.next_eoi_state(*state)),
            _ => false,
        }
    }

    fn can_match(&self, place: &Place) -> bool {
        match place {
            Place::Value(state) => !self.dfa.is_dead_state(*state),
            Place::Prefix(_) => true,
            Place::Dead => false,
        }
    }

    fn accept(&self, place: &Place, byte: u8) -> Place {
        match *place {
            Place::Prefix(at) if self.prefix.get(at) == Some(&byte) => {
                if at + 1 == self.prefix.len() {
                    Place::Value(self.start)
                } else {
                    Place::Prefix(at + 1)
                }
            }
            Place::Value(state) => Place::Value(self.dfa.next_state(state, byte)),
            _ => Place::Dead,
        }
    }
}
