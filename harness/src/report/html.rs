//! `index.html`: the report for people, one page with nothing fetched.

use lockstep::isa::Op;

use super::junit::escape;
use super::{Cell, ColumnReport, Report, SuiteReport, TestReport, Totals, Verdict};

/// The whole page.
pub fn page(report: &Report) -> String {
    let verdict =
        if report.is_clean() { ("clean", "Everything agrees") } else { ("dirty", "Something does not agree") };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Lockstep conformance</title>\n<style>{STYLE}</style>\n\
         <header class=\"{}\"><h1>{}</h1>\n<p class=\"closing\">{}</p>\n{}\
         <p>Lockstep {}. {} of {} coverage points seen. {} expected differences are counted as skipped.</p>\n{}</header>\n\
         {}{}{}{}{}{}{}<script>{SCRIPT}</script>\n</html>\n",
        verdict.0,
        verdict.1,
        report.closing_line(),
        bar(&report.totals),
        report.lockstep,
        report.coverage.seen,
        report.coverage.points,
        report.totals.expected,
        absent(&report.columns),
        problems(report),
        columns(&report.columns),
        instructions(report),
        report.proofs,
        suites(report),
        tests(report),
        coverage(report),
    )
}

/// All cells as one bar; what was not run is grey.
fn bar(totals: &Totals) -> String {
    let parts = [
        ("ok", "passed", totals.passed),
        ("bad", "failed", totals.failed),
        ("exp", "expected differences", totals.expected),
        ("none", "not run", totals.skipped),
    ];
    let part = |(class, name, count): (&str, &str, usize)| match count {
        0 => String::new(),
        _ => format!("<i class=\"{class}\" style=\"flex-grow:{count}\" title=\"{count} {name}\"></i>"),
    };
    format!("<div class=\"bar\">{}</div>\n", parts.map(part).concat())
}

/// The oracles that did not judge, where nobody overlooks them.
fn absent(columns: &[ColumnReport]) -> String {
    let named = columns.iter().filter_map(|column| Some((&column.name, column.unavailable.as_ref()?)));
    let named: Vec<String> =
        named.map(|(name, reason)| format!("<b>{}</b> ({})", escape(name), escape(reason))).collect();
    match named.is_empty() {
        true => String::new(),
        false => format!("<p class=\"absent\">Not run: {}.</p>\n", named.join(", ")),
    }
}

/// The names of the columns over a grid; those that are not here are grey.
fn head(columns: &[ColumnReport]) -> String {
    let cell = |column: &ColumnReport| {
        let class = if column.unavailable.is_some() { "up skip" } else { "up" };
        format!("<th class=\"{class}\" title=\"{}\"><span>{}</span>", escape(&column.about), escape(&column.name))
    };
    columns.iter().map(cell).collect()
}

fn problems(report: &Report) -> String {
    let problems = report.problems.iter().map(|problem| format!("<li>{}</li>", escape(problem)));
    let failures = report.failures().map(|(test, column, reason)| {
        format!("<li><b>{}</b> on <b>{}</b>: {}</li>", escape(&test), escape(column), escape(reason))
    });
    let items: String = problems.chain(failures).collect();
    if items.is_empty() {
        String::new()
    } else {
        format!("<section><h2>What is wrong</h2><ul class=\"wrong\">{items}</ul></section>\n")
    }
}

/// Who judged: what could not be had is said here, in the first screen.
fn columns(columns: &[ColumnReport]) -> String {
    let row = |column: &ColumnReport| {
        let state = match (&column.version, &column.unavailable) {
            (_, Some(reason)) => format!("<td class=\"skip\">not run: {}</td>", escape(reason)),
            (Some(version), None) => format!("<td class=\"pass\">{}</td>", escape(version)),
            (None, None) => "<td class=\"skip\">not run</td>".into(),
        };
        format!("<tr><th>{}</th><td>{}</td>{state}</tr>", escape(&column.name), escape(&column.about))
    };
    let rows: String = columns.iter().map(row).collect();
    format!(
        "<section><h2>Engines and oracles</h2><table><tr><th>name<th>what it is<th>version</tr>{rows}</table></section>\n"
    )
}

/// Instruction by column: the tests that are about the instruction.
fn instructions(report: &Report) -> String {
    let head = head(&report.columns);
    let row = |op: Op| {
        let about: Vec<&TestReport> =
            report.tests.iter().filter(|test| test.instruction == Some(op.mnemonic())).collect();
        let cell = |column: &ColumnReport| {
            let cells = about.iter().filter_map(|test| test.cells.get(&column.name));
            tally(Totals::count(cells))
        };
        let cells: String = report.columns.iter().map(cell).collect();
        format!("<tr><th>{}<td class=\"n\">{}{cells}</tr>", op.mnemonic(), about.len())
    };
    let rows: String = Op::ALL.into_iter().map(row).collect();
    format!(
        "<section><h2>Instruction by instruction</h2><p>Tests about each instruction, passed of all; &empty; is not run.</p><table class=\"grid\"><tr><th>instruction<th>tests{head}</tr>{rows}</table></section>\n"
    )
}

/// A cell that sums up several.
fn tally(totals: Totals) -> String {
    let all = totals.passed + totals.failed + totals.skipped + totals.expected;
    let class = match totals {
        _ if all == 0 => return "<td class=\"none\">-".into(),
        Totals { failed: 1.., .. } => "fail",
        Totals { skipped, .. } if skipped == all => return "<td class=\"skip\" title=\"not run\">&empty;".into(),
        Totals { passed, .. } if passed == all => "pass",
        Totals { skipped: 0, .. } => "expected",
        _ => "skip",
    };
    format!("<td class=\"{class}\">{}/{all}", totals.passed)
}

fn suites(report: &Report) -> String {
    let row = |suite: &SuiteReport| {
        let package = suite.package.as_deref().unwrap_or("this repository");
        let sha256 = suite.sha256.as_deref().unwrap_or("");
        let left_out: String =
            suite.left_out.iter().map(|(name, why)| format!("<li>{}: {}</li>", escape(name), escape(why))).collect();
        let left_out = if left_out.is_empty() {
            "none".into()
        } else {
            format!("<details><summary>{} files</summary><ul>{left_out}</ul></details>", suite.left_out.len())
        };
        format!(
            "<tr><th>{}<td>{}<td>{}<br><code class=\"sha\">{sha256}</code><td class=\"n\">{} (at least {})<td>{left_out}{}</tr>",
            escape(&suite.name),
            escape(&suite.about),
            escape(package),
            suite.found,
            suite.pinned,
            tally(suite.totals),
        )
    };
    let rows: String = report.suites.iter().map(row).collect();
    format!(
        "<section><h2>Suites</h2><table><tr><th>suite<th>what it is<th>package, SHA-256<th>tests<th>left out<th>cells</tr>{rows}</table></section>\n"
    )
}

fn tests(report: &Report) -> String {
    let head = head(&report.columns);
    let suite = |suite: &SuiteReport| {
        let rows: String =
            report.tests.iter().filter(|test| test.suite == suite.name).map(|test| test_row(report, test)).collect();
        format!(
            "<details{}><summary>{} <small>{} tests</small></summary><table class=\"grid\"><tr><th>test{head}</tr>{rows}</table></details>\n",
            if suite.totals.failed > 0 { " open" } else { "" },
            escape(&suite.name),
            suite.found
        )
    };
    let suites: String = report.suites.iter().map(suite).collect();
    format!(
        "<section><h2>Every test</h2><p>Click a cell to copy the command that runs it again; hold the pointer over it to read why. \
         <input id=\"filter\" placeholder=\"show only tests with this in their name\"></p>{suites}</section>\n"
    )
}

fn test_row(report: &Report, test: &TestReport) -> String {
    let cell = |column: &ColumnReport| match test.cells.get(&column.name) {
        Some(cell) => format!(
            "<td class=\"{}\" title=\"{}\" data-run=\"{}\">{}",
            class(cell.verdict),
            escape(&describe(cell)),
            escape(&test.reproduce(&column.name)),
            sign(cell.verdict)
        ),
        None => "<td class=\"none\">-".into(),
    };
    let cells: String = report.columns.iter().map(cell).collect();
    let clauses = test.clauses.join(" ");
    format!("<tr><th title=\"{}\">{}{cells}</tr>", escape(&clauses), escape(&test.name))
}

/// One sign for each verdict; its colour says the same.
fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "&check;",
        Verdict::Fail => "FAIL",
        Verdict::Skip => "&empty;",
        Verdict::Expected => "exp",
    }
}

fn describe(cell: &Cell) -> String {
    match &cell.reason {
        Some(reason) => reason.clone(),
        None => format!("{} steps", cell.steps),
    }
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "pass",
        Verdict::Fail => "fail",
        Verdict::Skip => "skip",
        Verdict::Expected => "expected",
    }
}

fn coverage(report: &Report) -> String {
    let missing: String = report.coverage.missing.iter().map(|name| format!("<li>{}</li>", escape(name))).collect();
    let missing = if missing.is_empty() {
        "<p>Every point was seen.</p>".into()
    } else {
        format!("<p>Never seen:</p><ul>{missing}</ul>")
    };
    format!(
        "<section><h2>Coverage</h2><p>{} situations are defined: every instruction with every register in every place, corner values, walking bits, \
         lanes, directions, traps and the edges of the map. coverage.yaml counts each.</p>{missing}</section>\n",
        report.coverage.points
    )
}

const STYLE: &str = "
:root { color-scheme: light dark; --ok: #1a7f37; --bad: #cf222e; --skip: #6e7781; --exp: #9a6700; --line: #8884; --page: #fff }
@media (prefers-color-scheme: dark) { :root { --ok: #3fb950; --bad: #da3633; --skip: #8b949e; --exp: #d29922; --page: #0d1117 } }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 78rem; margin: 0 auto; padding: 0 1rem 4rem; background: var(--page) }
header { border-left: .5rem solid var(--ok); padding: .5rem 1.5rem; margin: 2rem 0 }
header.dirty { border-color: var(--bad) }
h1 { margin: 0; font-size: 1.8rem } h2 { margin: 2.5rem 0 .5rem }
.closing { font: 1.2rem ui-monospace, monospace; margin: .3rem 0 }
.bar { display: flex; gap: 2px; height: .8rem; margin: .6rem 0; border-radius: .4rem; overflow: hidden } .bar i { min-width: 3px }
.bar .ok { background: var(--ok) } .bar .bad { background: var(--bad) } .bar .exp { background: var(--exp) } .bar .none { background: var(--line) }
.absent { color: var(--exp) }
table { border-collapse: collapse; font-size: .87rem } th, td { text-align: left; padding: .15rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top }
.grid td { text-align: center; font-family: ui-monospace, monospace; white-space: nowrap } .grid td.n, .n { text-align: right }
.grid th { font-family: ui-monospace, monospace; font-weight: 500 } .grid tr:hover { background: #8881 }
.grid tr:first-child th { position: sticky; top: 0; background: var(--page); vertical-align: bottom }
.up span { writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap }
.pass { color: var(--ok) } .fail { color: #fff; background: var(--bad) } .skip, .none { color: var(--skip) } .expected { color: var(--exp) }
.sha { font-size: .7rem; word-break: break-all; color: var(--skip) }
[data-run] { cursor: copy } details { margin: .3rem 0 } summary { cursor: pointer } .wrong li { margin: .3rem 0 }
input { font: inherit; width: 22rem; padding: .2rem .5rem }
#copied { position: fixed; bottom: 1rem; left: 50%; transform: translateX(-50%); background: #24292f; color: #fff; padding: .4rem 1rem; border-radius: .4rem; font: .9rem ui-monospace, monospace }
";

const SCRIPT: &str = "
document.getElementById('filter').addEventListener('input', event => {
  const wanted = event.target.value.trim();
  for (const row of document.querySelectorAll('details .grid tr:not(:first-child)'))
    row.hidden = wanted && !row.cells[0].textContent.includes(wanted);
  for (const suite of document.querySelectorAll('section > details')) suite.open = wanted !== '';
});
document.addEventListener('click', async event => {
  const run = event.target.dataset && event.target.dataset.run;
  if (!run) return;
  try { await navigator.clipboard.writeText(run) } catch (denied) { /* the line is shown all the same */ }
  const note = document.createElement('div');
  note.id = 'copied'; note.textContent = run;
  document.body.append(note);
  setTimeout(() => note.remove(), 4000);
});
";
