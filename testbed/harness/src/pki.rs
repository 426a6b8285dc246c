//! Certificates and kubeconfigs of one bed: its own authority, a client for each part.
//!
//! Out: `pki/NAME.crt|key`, `NAME.kubeconfig`. Made by openssl. Source: kubernetes.io/docs/setup/best-practices/certificates.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::layout::{API_PORT, FIRST_IP, Layout};
use crate::shell::{command, output};

const DAYS: &str = "3650";

/// Makes everything that etcd's neighbours and the nodes identify themselves with.
pub(crate) fn make(layout: &Layout) -> Result<()> {
    fs::create_dir_all(layout.dir.join("pki"))?;
    authority(layout)?;
    let api = format!(
        "IP:127.0.0.1,IP:10.96.0.1,IP:{FIRST_IP},DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc"
    );
    certificate(layout, "apiserver", "/CN=kube-apiserver", &api)?;
    certificate(layout, "apiserver-kubelet", "/O=system:masters/CN=apiserver-kubelet-client", "")?;
    for (name, subject) in [
        ("admin", "/O=system:masters/CN=admin"),
        ("controller-manager", "/CN=system:kube-controller-manager"),
        ("scheduler", "/CN=system:kube-scheduler"),
        ("proxy", "/CN=system:kube-proxy"),
        ("dns", "/O=system:masters/CN=coredns"),
    ] {
        certificate(layout, name, subject, "")?;
        kubeconfig(layout, name)?;
    }
    for node in 1..=layout.nodes {
        let name = layout.node_name(node);
        let names = format!("DNS:{name},IP:127.0.0.1,IP:{}", Layout::node_ip(node));
        certificate(layout, &name, &format!("/O=system:nodes/CN=system:node:{name}"), &names)?;
        kubeconfig(layout, &name)?;
    }
    Ok(())
}

fn authority(layout: &Layout) -> Result<()> {
    let (key, crt) = (layout.pki("ca.key"), layout.pki("ca.crt"));
    output(
        new_key(&mut Command::new("openssl")).args(["-x509", "-days", DAYS, "-subj", "/CN=bed-ca"]).args([
            "-keyout".as_ref(),
            key.as_os_str(),
            "-out".as_ref(),
            crt.as_os_str(),
        ]),
    )?;
    let (key, public) = (layout.pki("sa.key"), layout.pki("sa.pub"));
    output(command("openssl", ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"]).arg(&key))?;
    output(command("openssl", ["ec", "-pubout", "-in"]).arg(&key).arg("-out").arg(&public))?;
    Ok(())
}

fn new_key(openssl: &mut Command) -> &mut Command {
    openssl.args(["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"])
}

fn certificate(layout: &Layout, name: &str, subject: &str, names: &str) -> Result<()> {
    let file = |suffix: &str| layout.pki(&format!("{name}.{suffix}"));
    output(
        new_key(&mut Command::new("openssl"))
            .args(["-subj", subject, "-keyout"])
            .arg(file("key"))
            .arg("-out")
            .arg(file("csr")),
    )?;
    let alternative = if names.is_empty() { String::new() } else { format!("subjectAltName={names}\n") };
    fs::write(file("ext"), format!("extendedKeyUsage=serverAuth,clientAuth\n{alternative}"))?;
    let sign = &mut command("openssl", ["x509", "-req", "-CAcreateserial", "-days", DAYS, "-in"]);
    sign.arg(file("csr")).arg("-CA").arg(layout.pki("ca.crt")).arg("-CAkey").arg(layout.pki("ca.key"));
    output(sign.arg("-extfile").arg(file("ext")).arg("-out").arg(file("crt")))
        .with_context(|| format!("sign the certificate of {name}"))?;
    Ok(())
}

/// A kubeconfig that needs no other file, so that it can be carried elsewhere.
fn kubeconfig(layout: &Layout, name: &str) -> Result<()> {
    let inline = |path: &Path| output(command("base64", ["-w0"]).arg(path));
    let authority = inline(&layout.pki("ca.crt"))?;
    let certificate = inline(&layout.pki(&format!("{name}.crt")))?;
    let key = inline(&layout.pki(&format!("{name}.key")))?;
    let cluster = &layout.name;
    let text = format!(
        r#"apiVersion: v1
kind: Config
clusters: [{{name: {cluster}, cluster: {{server: "https://127.0.0.1:{API_PORT}", certificate-authority-data: {authority}}}}}]
users: [{{name: {name}, user: {{client-certificate-data: {certificate}, client-key-data: {key}}}}}]
contexts: [{{name: {cluster}, context: {{cluster: {cluster}, user: {name}}}}}]
current-context: {cluster}
"#
    );
    fs::write(layout.kubeconfig(name), text).with_context(|| format!("write the kubeconfig of {name}"))
}
