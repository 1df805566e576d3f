//! `cargo xtask setup`: QEMU, firmware and the judges, with apt where it may.

use crate::shell;
use qemu_tests::tools::{self, FROM_CRATES, FROM_PYPI, FULL_TOOLS, TOOLS, Tool};
use std::path::Path;
use std::process::{Command, Stdio};

/// Installs what is missing, `full` what the longest tests need too. Afterwards everything is there, or the error names each tool with its package.
pub(crate) fn run(full: bool) -> Result<(), String> {
    let missing = || missing(full);
    let wanted = packages(&missing());
    if wanted.is_empty() {
        println!("setup: all {} tools are installed", tools(full).count());
    } else if let Some(apt) = Apt::find() {
        println!("setup: installing {}", wanted.join(" "));
        // The lists of a fresh machine are empty and those of an old one name versions that are gone. Only then update.
        if apt.install(&wanted).is_err() {
            apt.update()?;
            apt.install(&wanted)?;
        }
    }
    let mut absent: Vec<String> = missing()
        .iter()
        .map(|t| format!("  {} (Debian package {})", t.name, t.package))
        .collect();
    if let Err(reason) = from_pypi() {
        absent.push(format!("  {} (PyPI): {reason}", FROM_PYPI.join(", ")));
    }
    for tool in FROM_CRATES.iter().filter(|_| full) {
        if let Err(reason) = from_crates(*tool) {
            absent.push(format!("  {} (crates.io): {reason}", tool.package));
        }
    }
    if absent.is_empty() {
        return Ok(());
    }
    let hint = match Apt::find() {
        Some(_) => "",
        None => "\nThis user may not install packages (apt-get as root or through sudo without a password).",
    };
    Err(format!("missing:\n{}{hint}", absent.join("\n")))
}

fn tools(full: bool) -> impl Iterator<Item = Tool> {
    let more: &[Tool] = if full { &FULL_TOOLS } else { &[] };
    TOOLS.into_iter().chain(more.iter().copied())
}

fn missing(full: bool) -> Vec<Tool> {
    let mut missing: Vec<Tool> = tools(full).filter(|t| tools::on_path(t.name).is_none()).collect();
    // Debian splits ensurepip off python3, so that an interpreter alone cannot make a virtual environment.
    if let Some(python) = tools::on_path("python3")
        && tools::from_pypi("python").is_err()
        && shell::output(Command::new(python).args(["-c", "import venv, ensurepip"])).is_err()
    {
        missing.extend(TOOLS.into_iter().find(|t| t.name == "python3"));
    }
    missing
}

fn packages(missing: &[Tool]) -> Vec<&'static str> {
    let mut packages: Vec<_> = missing.iter().map(|t| t.package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// Puts what is pinned of PyPI into a virtual environment in the target directory, unless it is there.
fn from_pypi() -> Result<(), String> {
    let python = tools::venv_python();
    let check = "import importlib.metadata as m, sys; \
                 sys.exit(any(m.version(n) != v for n, v in (a.split('==') for a in sys.argv[1:])))";
    if python.is_file() && shell::output(Command::new(&python).args(["-c", check]).args(FROM_PYPI)).is_ok() {
        return Ok(());
    }
    println!("setup: installing {} in {}", FROM_PYPI.join(", "), python.display());
    let venv = python
        .ancestors()
        .nth(2)
        .ok_or("no directory for the virtual environment")?;
    let system = tools::find("python3")?;
    shell::output(Command::new(system).args(["-m", "venv", "--clear"]).arg(venv))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"])
        .args(FROM_PYPI);
    shell::output(&mut pip).map(drop)
}

/// Builds a program of crates.io, unless it is there.
fn from_crates(tool: Tool) -> Result<(), String> {
    let (_, version) = tool.package.split_once('@').unwrap_or_default();
    if let Ok(program) = tools::from_crates(tool.name)
        && let Ok(said) = shell::output(Command::new(program).arg("--version"))
        && String::from_utf8_lossy(&said).trim_end().ends_with(version)
    {
        return Ok(());
    }
    let root = tools::crates_root();
    println!("setup: installing {} in {}", tool.package, root.display());
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["install", "--quiet", "--locked", "--force", "--root"]);
    cargo.arg(root).arg(tool.package);
    shell::output(&mut cargo).map(drop)
}

/// apt-get with the rights to install.
pub(crate) struct Apt {
    prefix: &'static [&'static str],
}

impl Apt {
    /// As root, or through a sudo that asks nothing: a chore must not stop at a password prompt.
    pub(crate) fn find() -> Option<Self> {
        tools::on_path("apt-get")?;
        let id = shell::output(Command::new("id").arg("-u")).ok()?;
        if id.trim_ascii() == b"0" {
            return Some(Self { prefix: &[] });
        }
        let sudo = Command::new("sudo")
            .args(["-n", "true"])
            .stderr(Stdio::null())
            .status()
            .ok()?;
        sudo.success().then_some(Self {
            prefix: &["sudo", "-n"],
        })
    }

    /// Fetches the archive's lists.
    pub(crate) fn update(&self) -> Result<(), String> {
        shell::output(self.command().arg("update")).map(drop)
    }

    fn install(&self, packages: &[&str]) -> Result<(), String> {
        let mut command = self.command();
        command
            .args(["install", "--yes", "--no-install-recommends"])
            .args(packages);
        shell::output(&mut command).map(drop)
    }

    /// `env` because sudo clears the environment.
    fn command(&self) -> Command {
        let mut words = self.prefix.iter().copied().chain(["env"]);
        let mut command = Command::new(words.next().unwrap_or("env"));
        command
            .args(words)
            .args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "--quiet"]);
        command.current_dir(Path::new("/"));
        command
    }
}
