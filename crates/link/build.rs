//! Compiles the link's protocol; `protox` stands in for `protoc`, which need not be installed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let root = "../../proto";
    let file = "pilothouse/link/v1/link.proto";
    println!("cargo::rerun-if-changed={root}/{file}");
    let set = protox::compile([file], [root])?;
    tonic_prost_build::configure().bytes(".pilothouse.link.v1").compile_fds(set)?;
    Ok(())
}
