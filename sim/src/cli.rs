//! The commands of the `sim` binary. Exit codes: 0 as asked, 1 a check failed, 2 unusable.
use crate::ladder::setting::Setting;
use crate::ladder::{self, Options, Outcome, run};
use crate::plan::Plan;
use crate::{report, shrink};
use clap::{Parser, Subcommand};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The simulator of BitsPath Voice.
#[derive(Parser)]
#[command(name = "sim", version)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs ladders: files, or folders of them.
    Run {
        #[arg(required = true)]
        paths: Vec<PathBuf>,
        /// Seeds A..B, both ends included; the ladder's own `seeds` or 1 when absent.
        #[arg(long, value_parser = seeds)]
        seeds: Option<(u64, u64)>,
        /// One seed.
        #[arg(long, conflicts_with = "seeds")]
        seed: Option<u64>,
        /// Threads; all cores when absent.
        #[arg(long)]
        jobs: Option<usize>,
        /// Where failures leave their capture, plan and ladder.
        #[arg(long, default_value = "target/sim")]
        out: PathBuf,
        /// A JUnit report.
        #[arg(long)]
        junit: Option<PathBuf>,
        /// Prints the observed ladder of every run.
        #[arg(long)]
        show: bool,
    },
    /// One trace hash per line and nothing else, for comparing two processes.
    Hash {
        path: PathBuf,
        #[arg(long, value_parser = seeds, default_value = "1..20")]
        seeds: (u64, u64),
        /// Every checkpoint of every run too.
        #[arg(long)]
        checkpoints: bool,
        /// Chance in a million that a step freezes and thaws its host: must change nothing.
        #[arg(long, default_value_t = 0)]
        thaw: u32,
    },
    /// Repeats a recorded failure.
    Repro { plan: PathBuf },
    /// Makes a recorded failure smaller; writes PLAN.small.
    Shrink { plan: PathBuf },
}

fn seeds(text: &str) -> Result<(u64, u64), String> {
    ladder::range(text).ok_or_else(|| format!("`{text}` is not A..B"))
}

/// What stops a command before it can check anything.
struct Unusable(String);

type Exit = Result<bool, Unusable>;

pub fn main() -> i32 {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(e) => {
            let _ = e.print();
            return if e.use_stderr() { 2 } else { 0 };
        }
    };
    let done = match args.command {
        Command::Run { paths, seeds, seed, jobs, out, junit, show } => {
            let seeds = seed.map(|s| (s, s)).or(seeds);
            Batch { seeds, jobs, out, junit, show }.run(&paths)
        }
        Command::Hash { path, seeds, checkpoints, thaw } => hash(&path, seeds, checkpoints, thaw),
        Command::Repro { plan } => repro(&plan),
        Command::Shrink { plan } => shrink_plan(&plan),
    };
    match done {
        Ok(true) => 0,
        Ok(false) => 1,
        Err(Unusable(why)) => {
            eprintln!("sim: {why}");
            2
        }
    }
}

/// Every ladder at these paths, in the order of their names.
fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Unusable> {
    let mut out = Vec::new();
    for path in paths {
        let unreadable = |e| Unusable(format!("{}: {e}", path.display()));
        if path.is_dir() {
            let mut inner: Vec<PathBuf> = std::fs::read_dir(path)
                .map_err(unreadable)?
                .filter_map(|e| e.ok().map(|e| e.path()))
                .filter(|p| p.is_dir() || p.extension().is_some_and(|e| e == "ladder"))
                .collect();
            inner.sort();
            out.extend(find(&inner)?);
        } else {
            out.push(path.clone());
        }
    }
    Ok(out)
}

fn load(path: &Path) -> Result<Setting, Unusable> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| Unusable(format!("{shown}: {e}")))?;
    let ladder =
        ladder::parse(&shown.to_string(), &text).map_err(|e| Unusable(format!("{shown}:{e}")))?;
    Setting::new(ladder).map_err(|e| Unusable(format!("{shown}: {e}")))
}

struct Batch {
    seeds: Option<(u64, u64)>,
    jobs: Option<usize>,
    out: PathBuf,
    junit: Option<PathBuf>,
    show: bool,
}

/// One ladder's results: how many seeds passed, and the first failures.
#[derive(Default)]
struct Verdict {
    passed: u64,
    failed: u64,
    text: String,
}

/// Failures of one ladder that are printed in full.
const SHOWN_MAX: u64 = 3;

impl Batch {
    fn run(&self, paths: &[PathBuf]) -> Exit {
        let settings: Vec<Setting> =
            find(paths)?.iter().map(|p| load(p)).collect::<Result<_, _>>()?;
        if settings.is_empty() {
            return Err(Unusable("there is no ladder at these paths".to_owned()));
        }
        let verdicts: Vec<Mutex<Verdict>> = settings.iter().map(|_| Mutex::default()).collect();
        let next = AtomicUsize::new(0);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = self.jobs.unwrap_or(cores).clamp(1, 64);
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(|| {
                    while let Some(setting) = settings.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let at = settings.iter().position(|s| std::ptr::eq(s, setting));
                        let verdict = self.one(setting);
                        print!("{}", verdict.text);
                        if let Some(slot) = at.and_then(|at| verdicts.get(at))
                            && let Ok(mut slot) = slot.lock()
                        {
                            *slot = verdict;
                        }
                    }
                });
            }
        });
        let verdicts: Vec<Verdict> =
            verdicts.into_iter().filter_map(|v| v.into_inner().ok()).collect();
        if let Some(path) = &self.junit {
            let text = junit(&settings, &verdicts);
            std::fs::write(path, text).map_err(|e| Unusable(format!("{}: {e}", path.display())))?;
        }
        let passed: u64 = verdicts.iter().map(|v| v.passed).sum();
        let failed: u64 = verdicts.iter().map(|v| v.failed).sum();
        println!("{passed} passed, {failed} failed, 0 skipped");
        Ok(failed == 0)
    }

    fn one(&self, setting: &Setting) -> Verdict {
        let mut verdict = Verdict::default();
        let (first, last) = self.seeds.or(setting.ladder.seeds).unwrap_or((1, 1));
        for seed in first..=last {
            let outcome = guarded(setting, &Options { seed, capture: self.show, ..quick() });
            if self.show {
                let path = &setting.ladder.path;
                let _ = writeln!(verdict.text, "# {path}  seed {seed}");
                let _ = writeln!(verdict.text, "{}\n", outcome.observed.join("\n"));
            }
            if outcome.failure.is_none() {
                verdict.passed += 1;
                continue;
            }
            verdict.failed += 1;
            if verdict.failed <= SHOWN_MAX {
                let outcome = guarded(setting, &Options { seed, capture: true, ..quick() });
                let plan = report::files(&self.out, setting, seed, &outcome).ok();
                verdict.text += &report::block(setting, seed, &outcome, plan.as_deref());
            }
        }
        let (path, n) = (&setting.ladder.path, last - first + 1);
        let _ = match verdict.failed {
            0 => writeln!(verdict.text, "ok     {path}  ({n} seeds)"),
            failed => writeln!(verdict.text, "FAILED {path}  ({failed} of {n} seeds)"),
        };
        verdict
    }
}

fn quick() -> Options {
    Options::default()
}

/// A panic of the product is this run's failure.
fn guarded(setting: &Setting, options: &Options) -> Outcome {
    let caught = std::panic::catch_unwind(|| run(setting, options));
    caught.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?");
        Outcome {
            failure: Some(ladder::Failure {
                what: format!("panic: {text}"),
                line: None,
                at: std::time::Duration::ZERO,
            }),
            ..Outcome::default()
        }
    })
}

fn junit(settings: &[Setting], verdicts: &[Verdict]) -> String {
    let escape = |s: &str| {
        s.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
    };
    let mut out = String::from("<testsuite name=\"sim\">\n");
    for (setting, verdict) in settings.iter().zip(verdicts) {
        let name = escape(&setting.ladder.path);
        if verdict.failed == 0 {
            let _ = writeln!(out, "  <testcase name=\"{name}\"/>");
        } else {
            let text = escape(&verdict.text);
            let _ =
                writeln!(out, "  <testcase name=\"{name}\"><failure>{text}</failure></testcase>");
        }
    }
    out + "</testsuite>\n"
}

fn hash(path: &Path, (first, last): (u64, u64), checkpoints: bool, thaw_ppm: u32) -> Exit {
    for path in find(&[path.to_path_buf()])? {
        let setting = load(&path)?;
        for seed in first..=last {
            let outcome = guarded(&setting, &Options { seed, thaw_ppm, ..quick() });
            if checkpoints {
                outcome.checkpoints.iter().for_each(|c| println!("  {c:016x}"));
            }
            println!("{:016x}", outcome.hash);
        }
    }
    Ok(true)
}

fn load_plan(path: &Path) -> Result<(Plan, Setting), Unusable> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).map_err(|e| Unusable(format!("{shown}: {e}")))?;
    let plan = Plan::parse(&text).map_err(|e| Unusable(format!("{shown}:{e}")))?;
    let setting = load(Path::new(&plan.ladder))?;
    Ok((plan, setting))
}

fn repro(path: &Path) -> Exit {
    let (plan, setting) = load_plan(path)?;
    let replay = Some(plan.faults);
    let outcome = guarded(&setting, &Options { seed: plan.seed, capture: true, replay, ..quick() });
    let failed = outcome.failure.is_some();
    if failed {
        print!("{}", report::block(&setting, plan.seed, &outcome, Some(path)));
    } else {
        println!("{}\nhash {:016x}", outcome.observed.join("\n"), outcome.hash);
    }
    println!("{} passed, {} failed, 0 skipped", u8::from(!failed), u8::from(failed));
    Ok(!failed)
}

fn shrink_plan(path: &Path) -> Exit {
    let (mut plan, setting) = load_plan(path)?;
    let before = plan.faults.len();
    let (small, runs) = shrink::shrink(&setting, plan.seed, &plan.faults);
    plan.faults = small;
    let replay = Some(plan.faults.clone());
    let outcome = guarded(&setting, &Options { seed: plan.seed, replay, ..quick() });
    let out = path.with_extension("small.plan");
    std::fs::write(&out, plan.text(&outcome.hosts))
        .map_err(|e| Unusable(format!("{}: {e}", out.display())))?;
    let (after, out) = (plan.faults.len(), out.display());
    println!("{before} faults became {after} in {runs} runs: {out}");
    Ok(outcome.failure.is_some())
}
