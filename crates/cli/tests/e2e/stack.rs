//! A server inside a bed, and agents of this build in its cluster.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use testbed::{Bed, Forward, PackOptions, wait_for};

/// Image of this build, as the agents' manifests name it.
pub const IMAGE: &str = "bed.local/pilothouse:e2e";
const PORT: u16 = 8443;

/// `serve` in the bed's network, reachable by its pods at the first node's address.
pub struct Stack<'a> {
    bed: &'a Bed,
    binary: PathBuf,
    data: PathBuf,
    serve: Option<Child>,
    pub forward: Forward,
    jar: PathBuf,
}

impl<'a> Stack<'a> {
    /// Packs the image, starts the server, signs in.
    pub fn start(bed: &'a Bed) -> Result<Self> {
        let binary = stripped(bed.dir())?;
        let pack = PackOptions {
            setcap: Some("cap_dac_read_search+p".into()),
            busybox: Some("/bin/busybox".into()),
            ..PackOptions::default()
        };
        bed.load_image(&bed.pack_image(IMAGE, &binary, &pack)?)?;
        let data = bed.dir().join("server");
        let forward = bed.forward("127.0.0.1:0", "127.0.0.1:8000")?;
        let jar = bed.dir().join("cookies");
        let mut stack = Self { bed, binary, data, serve: None, forward, jar };
        stack.serve()?;
        stack.sign_in()?;
        Ok(stack)
    }

    fn public(&self) -> String {
        format!("https://{}:{PORT}", self.bed.node_ip(1))
    }

    /// The address of the web UI and the API outside of the bed.
    pub fn url(&self) -> String {
        format!("http://{}", self.forward.address())
    }

    /// Starts the server, or starts it again, and waits until it is ready.
    pub fn serve(&mut self) -> Result<()> {
        let public = self.public();
        let log =
            std::fs::File::options().create(true).append(true).open(self.bed.dir().join("log/serve.log"))?;
        let mut serve = self.bed.command(&self.binary.display().to_string());
        serve
            .args([
                "serve",
                "--listen",
                "http://127.0.0.1:8000",
                "--listen",
                &public,
                "--public-url",
                &public,
            ])
            .args(["--metrics", "off", "--probes", "off", "--data"])
            .arg(&self.data)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        self.serve = Some(serve.spawn().context("start pilothouse serve")?);
        wait_for("the server is ready", Duration::from_secs(60), || self.curl(&["-f", "/readyz"]).is_ok())
    }

    /// The server's data directory.
    pub fn data(&self) -> String {
        self.data.display().to_string()
    }

    /// SIGKILL, as a power cut of the process.
    pub fn kill_server(&mut self) -> Result<()> {
        if let Some(mut serve) = self.serve.take() {
            // The command enters the bed's network and then becomes the server: one process.
            serve.kill()?;
            serve.wait()?;
        }
        Ok(())
    }

    /// Runs the client beside the server; its output.
    pub fn pilothouse(&self, args: &[&str]) -> Result<Output> {
        let out = self.client(args).output()?;
        ensure!(
            out.status.success(),
            "pilothouse {}: {}{}",
            args.join(" "),
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
        Ok(out)
    }

    pub fn client(&self, args: &[&str]) -> Command {
        let mut c = self.bed.command(&self.binary.display().to_string());
        c.args(args)
            .env("XDG_CONFIG_HOME", self.bed.dir().join("config"))
            .env("XDG_DATA_HOME", self.bed.dir().join("share"));
        c
    }

    /// A fresh one-time sign-in link, made on the server's machine.
    pub fn sign_in_link(&self) -> Result<String> {
        let data = self.data.display().to_string();
        let out = self.pilothouse(&["sign-in-link", "owner@localhost", "--data", &data])?;
        let text = String::from_utf8(out.stdout)?;
        let link = text
            .split_whitespace()
            .find(|w| w.contains("#token="))
            .context("sign-in-link printed no link")?;
        let token = link.split_once('#').map(|(_, t)| t).unwrap_or_default();
        Ok(format!("{}/sign-in#{token}", self.url()))
    }

    /// Signs the tests' own client in, anew.
    pub fn sign_in(&self) -> Result<()> {
        let link = self.sign_in_link()?;
        let token =
            link.split_once("#token=").map(|(_, t)| t.to_owned()).context("a link without a token")?;
        let jar = self.jar.display().to_string();
        let body = format!(r#"{{"token":"{token}"}}"#);
        self.curl(&["-f", "-c", &jar, "-d", &body, "/api/v1/auth/link"])?;
        Ok(())
    }

    /// `curl` with the session; the last argument is a path.
    fn curl(&self, args: &[&str]) -> Result<String> {
        let Some((path, options)) = args.split_last() else { bail!("curl needs a path") };
        let out = Command::new("curl")
            .args([
                "-sS",
                "--max-time",
                "40",
                "-H",
                "content-type: application/json",
                "-H",
                "sec-fetch-site: same-origin",
                "-b",
            ])
            .arg(&self.jar)
            .args(options)
            .arg(format!("{}{path}", self.url()))
            .output()?;
        ensure!(out.status.success(), "curl {path}: {}", String::from_utf8_lossy(&out.stderr));
        Ok(String::from_utf8(out.stdout)?)
    }

    pub fn read(&self, path: &str) -> Result<Value> {
        let text = self.curl(&["-f", path])?;
        serde_json::from_str(&text).with_context(|| format!("{path} answered {text}"))
    }

    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        let text = self.curl(&["--fail-with-body", "-d", &body.to_string(), path])?;
        serde_json::from_str(&text).with_context(|| format!("{path} answered {text}"))
    }

    /// `pilothouse cluster join NAME | kubectl apply -f -`.
    pub fn join(&self, name: &str, tier: &str) -> Result<()> {
        let data = self.data.display().to_string();
        let out =
            self.pilothouse(&["cluster", "join", name, "--tier", tier, "--image", IMAGE, "--data", &data])?;
        super::bed::apply(self.bed, &String::from_utf8(out.stdout)?)
    }

    /// Waits until a path's answer satisfies the condition; the last answer is in the error.
    pub fn wait_for(
        &self,
        what: &str,
        path: &str,
        seconds: u64,
        condition: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let mut last = Value::Null;
        let met = wait_for(what, Duration::from_secs(seconds), || match self.read(path) {
            Ok(answer) => {
                last = answer;
                condition(&last)
            }
            Err(_) => false,
        });
        met.with_context(|| format!("{path} last answered {last}"))?;
        Ok(last)
    }

    /// Where pictures of the browser are kept with the logs when a test fails.
    pub fn pictures(&self) -> PathBuf {
        self.bed.dir().join("log/pictures")
    }
}

impl Drop for Stack<'_> {
    fn drop(&mut self) {
        if let Some(mut serve) = self.serve.take() {
            let _ = serve.kill();
            let _ = serve.wait();
        }
    }
}

/// The binary without its symbols: layers of some hundred megabytes would only slow the nodes.
fn stripped(dir: &Path) -> Result<PathBuf> {
    let out = dir.join("pilothouse");
    let status = Command::new("strip").arg("-o").arg(&out).arg(env!("CARGO_BIN_EXE_pilothouse")).status()?;
    ensure!(status.success(), "strip failed; install binutils");
    Ok(out)
}
