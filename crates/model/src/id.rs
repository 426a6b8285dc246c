//! Identifiers: 16 random or time-ordered bytes, never names.
//!
//! Out: `Display` and serde as a hyphenated UUID; `FromStr` accepts the same.

use std::fmt;
use std::str::FromStr;

use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// The id as 16 bytes, as databases and file formats keep it.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The id as a number, as file formats keep it.
            pub fn as_u128(&self) -> u128 {
                self.0.as_u128()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(s: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(s).map(Self)
            }
        }
    };
}

id!(
    /// An organisation: the tenant of every call, row and file.
    OrgId
);
id!(
    /// A person.
    UserId
);
id!(
    /// An actor that is not a person: a script or a model.
    BotId
);
id!(
    /// A registered cluster or Docker host. Not the UID of `kube-system`, which it is bound to.
    ClusterId
);
id!(
    /// An enrolled agent: one key pair on one node, or the cluster-agent of one cluster.
    AgentId
);
id!(
    /// A signed-in browser or terminal.
    SessionId
);
id!(
    /// An API key.
    KeyId
);
