//! `pilothouse own-state`: what the node-agent's init container does, and nothing else.

use std::path::PathBuf;

use crate::failure::{Doing, Failure, Outcome};

/// Give a node-agent's state directory to its user.
///
/// The kubelet makes a hostPath directory as root; this is all that needs root, and needs nothing but CAP_CHOWN.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// The directory; made by the kubelet.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/pilothouse")]
    dir: PathBuf,
    /// User and group that own it from now on.
    #[arg(long, value_name = "ID", default_value_t = 65532)]
    uid: u32,
}

pub fn run(args: &Args) -> Outcome {
    let dir = std::fs::symlink_metadata(&args.dir).doing(|| format!("look at {}", args.dir.display()))?;
    // A link here would give away whatever it leads to.
    if !dir.is_dir() {
        return Err(
            Failure::failed(format!("{} is no directory", args.dir.display())).next("remove it on the node")
        );
    }
    // What is in it was made by the agent itself, so the directory alone is enough.
    std::os::unix::fs::lchown(&args.dir, Some(args.uid), Some(args.uid))
        .doing(|| format!("give {} to user {}", args.dir.display(), args.uid))
}
