//! The repository keeps its own rules.

#[test]
fn this_repository_is_tidy() -> anyhow::Result<()> {
    let (found, _) = super::findings(&crate::root()?)?;
    let lines: Vec<String> = found.iter().map(|f| format!("{f}\n")).collect();
    assert!(found.is_empty(), "{} findings:\n{}", found.len(), lines.concat());
    Ok(())
}
