//! `make mutants`: seeds bugs in a copy of the core and reports which suite kills which, and how fast.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use std::{env, fs, thread};

use lockstep_harness::mutants::{self, Hunt, MUTANTS, SWITCH};
use lockstep_harness::suites::manifest::{self, Manifest};
use lockstep_harness::suites::{Error, process};

fn main() -> ExitCode {
    match report() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(4)
        }
    }
}

/// What became of a mutant.
enum Fate {
    /// Suites found it.
    Killed(Hunt),
    /// The run did not end in time, or crashed: that is found, too.
    Broke(String),
    Survived,
}

fn report() -> Result<bool, Error> {
    let root = manifest::find_root()?;
    let copy = root.join("target/mutants/copy");
    mutants::instrument(&root, &copy)?;
    let runner = build(&root, &copy)?;
    // The suites have to be there before they are run in parallel, and no test may fail without a mutant.
    if let Fate::Killed(hunt) = run(&runner, &root, 0)? {
        return Err(Error::new(format!("tests fail without any mutant: {:?}", hunt.kills)));
    }
    let fates = all(&runner, &root)?;
    let suites = Manifest::read(&root)?.suites.into_iter().map(|suite| suite.name).collect::<Vec<_>>();
    Ok(tell(&fates, &suites))
}

/// Builds the runner in the copy, and keeps it beside the copy.
fn build(root: &Path, copy: &Path) -> Result<PathBuf, Error> {
    // A first build of the copy on a busy machine.
    const LIMIT: Duration = Duration::from_secs(1800);
    eprintln!("building {} mutants in {}", MUTANTS.len(), copy.display());
    // The checkout's own target folder has the dependencies compiled; the copy's packages differ by their paths.
    let target = root.join("target");
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(copy).args(["build", "--quiet", "-p", "lockstep-harness", "--example", "mutant_run"]);
    command.arg("--target-dir").arg(&target);
    process::output(&mut command, LIMIT)?;
    let (built, runner) = (target.join("debug/examples/mutant_run"), copy.with_file_name("mutant_run"));
    fs::copy(&built, &runner).map_err(|error| Error::file(&built, error))?;
    Ok(runner)
}

fn run(runner: &Path, root: &Path, number: usize) -> Result<Fate, Error> {
    /// A run without a mutant takes some seconds.
    const LIMIT: Duration = Duration::from_secs(300);
    let mut command = Command::new(runner);
    command.arg(root).env(SWITCH, number.to_string());
    match process::output(&mut command, LIMIT) {
        Err(error) if number > 0 => Ok(Fate::Broke(error.to_string())),
        Err(error) => Err(error),
        Ok(json) => {
            let hunt: Hunt =
                serde_json::from_slice(&json).map_err(|error| Error::new(format!("mutant_run: {error}")))?;
            Ok(if hunt.kills.is_empty() { Fate::Survived } else { Fate::Killed(hunt) })
        }
    }
}

fn all(runner: &Path, root: &Path) -> Result<Vec<Fate>, Error> {
    const THREADS: usize = 2;
    let next = AtomicUsize::new(0);
    let fates = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= MUTANTS.len() {
                        return;
                    }
                    let fate = run(runner, root, index + 1);
                    eprintln!("{:3}/{} {}", index + 1, MUTANTS.len(), MUTANTS[index].name);
                    fates.lock().expect("no worker panics here").insert(index, fate);
                }
            });
        }
    });
    fates.into_inner().expect("no worker panics here").into_values().collect()
}

/// Prints the table, writes report.json, and says whether every mutant came out as it must.
fn tell(fates: &[Fate], suites: &[String]) -> bool {
    let width = MUTANTS.iter().map(|mutant| mutant.name.len()).max().unwrap_or(0);
    let mut by_suite: BTreeMap<&str, (usize, Vec<u64>)> = BTreeMap::new();
    let (mut killed, mut explained, mut survivors) = (0, 0, 0);
    for (mutant, fate) in MUTANTS.iter().zip(fates) {
        let said = match fate {
            Fate::Killed(hunt) => {
                killed += 1;
                for (suite, kill) in &hunt.kills {
                    let entry = by_suite.entry(suite).or_default();
                    entry.0 += 1;
                    entry.1.push(kill.milliseconds);
                }
                let cell = |suite: &String| hunt.kills.get(suite).map_or("-".into(), |kill| kill.test.clone());
                suites
                    .iter()
                    .map(|suite| format!("{suite}: {}", cell(suite)))
                    .filter(|s| !s.ends_with(": -"))
                    .collect::<Vec<_>>()
                    .join(", ")
            }
            Fate::Broke(how) => {
                killed += 1;
                format!("the run broke: {how}")
            }
            Fate::Survived => match mutant.survives {
                Some(reason) => {
                    explained += 1;
                    format!("SURVIVED, as it must: {reason}")
                }
                None => {
                    survivors += 1;
                    "SURVIVED".into()
                }
            },
        };
        println!("{:width$}  {:8}  {said}", mutant.name, mutant.clause);
    }
    for (suite, (count, mut times)) in by_suite {
        times.sort_unstable();
        println!("{suite}: kills {count} of {}, the median after {} ms", MUTANTS.len(), times[times.len() / 2]);
    }
    println!("{killed} of {} mutants killed, {explained} survive as explained, {survivors} survive", MUTANTS.len());
    let json: Vec<serde_json::Value> =
        MUTANTS.iter().zip(fates).map(|(mutant, fate)| entry(mutant.name, mutant.clause, fate)).collect();
    let path = Path::new("target/mutants/report.json");
    let written =
        serde_json::to_string_pretty(&json).map_err(std::io::Error::other).and_then(|text| fs::write(path, text));
    written.is_ok() && survivors == 0
}

fn entry(name: &str, clause: &str, fate: &Fate) -> serde_json::Value {
    match fate {
        Fate::Killed(hunt) => {
            serde_json::json!({ "mutant": name, "clause": clause, "fate": "killed", "kills": hunt.kills })
        }
        Fate::Broke(how) => serde_json::json!({ "mutant": name, "clause": clause, "fate": "broke", "how": how }),
        Fate::Survived => serde_json::json!({ "mutant": name, "clause": clause, "fate": "survived" }),
    }
}
