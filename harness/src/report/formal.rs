//! The section of `index.html` about `lockstep formal`: instruction by instruction and layer by layer,
//! what was proved, what was tried in all cases, what was tested, and by how many cases.

use std::collections::BTreeMap;
use std::path::Path;

use lockstep::isa::Op;
use serde_json::Value;

use super::junit::escape;

/// The layers of a row, with their heads.
const LAYERS: [(&str, &str); 6] = [
    ("decoder", "decoder"),
    ("handler", "functions"),
    ("arm", "arms"),
    ("engine", "engines"),
    ("witness", "witnesses"),
    ("tool", "tools"),
];

/// The section from `target/formal/report.json`; that it is missing is said as loudly.
pub fn section(root: &Path) -> String {
    let path = root.join("target/formal/report.json");
    let report = std::fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let body = match &report {
        Some(report) => table(report),
        None => {
            "<p class=\"skip\">not run: <code>make formal</code> proves the instructions and fills this in.</p>".into()
        }
    };
    format!("<section><h2>Proofs</h2>{body}</section>\n")
}

fn table(report: &Value) -> String {
    let entries: Vec<&Value> = report["entries"].as_array().into_iter().flatten().collect();
    let count = |outcome: &str| entries.iter().filter(|entry| is(entry, outcome)).count();
    let head: String = LAYERS.iter().map(|(_, head)| format!("<th>{head}")).collect();
    let rows: String = Op::ALL.into_iter().map(|op| row(&entries, op.mnemonic())).collect();
    let failed: String = entries.iter().filter(|entry| is(entry, "fail")).map(|entry| failure(entry)).collect();
    format!(
        "<p>{} claims hold, {} do not, {} were not tried. Compiler: {}. IR: <code class=\"sha\">{}</code>. Solvers: {}.</p>\
         <p>A cell says how many claims were <b>p</b>roved for all inputs by two solvers, how many had <b>a</b>ll cases tried, and how many cases of the others were <b>t</b>ested. \
         Planted errors are wrong versions of the code that a solver refuted with a counterexample that replays. \
         docs/formal.md says what each layer claims; target/formal has every question as .smt2.</p>\
         <ul class=\"wrong\">{failed}</ul>\
         <table class=\"grid\"><tr><th>instruction{head}<th>planted errors<th>CPU s</tr>{rows}</table>",
        count("pass"),
        count("fail"),
        count("skip"),
        escape(report["compiler"].as_str().unwrap_or("none")),
        escape(report["ir_sha256"].as_str().unwrap_or("none")),
        escape(&solvers(&entries)),
    )
}

/// Whether the entry passed, failed or was skipped: `"pass"`, or an object with the reason.
fn is(entry: &Value, outcome: &str) -> bool {
    entry["outcome"] == outcome || entry["outcome"].get(outcome).is_some()
}

fn failure(entry: &Value) -> String {
    let reason = entry["outcome"]["fail"].as_str().unwrap_or("failed");
    format!("<li><b>{}</b>: {}</li>", escape(entry["name"].as_str().unwrap_or("")), escape(reason))
}

fn solvers(entries: &[&Value]) -> String {
    let proofs = entries.iter().flat_map(|entry| entry["proofs"].as_array().into_iter().flatten());
    let names: BTreeMap<String, usize> = proofs.fold(BTreeMap::new(), |mut names, proof| {
        let text = |field: &str| proof[field].as_str().unwrap_or("?").to_string();
        *names.entry(format!("{} {}", text("solver"), text("version"))).or_default() += 1;
        names
    });
    let names: Vec<String> = names.into_iter().map(|(name, count)| format!("{name} ({count} answers)")).collect();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}

fn row(entries: &[&Value], mnemonic: &str) -> String {
    let about: Vec<&Value> = entries
        .iter()
        .copied()
        .filter(|entry| entry["instructions"].as_array().is_some_and(|all| all.iter().any(|one| one == mnemonic)))
        .collect();
    let cells: String = LAYERS.iter().map(|(layer, _)| cell(about.iter().filter(|e| e["layer"] == *layer))).collect();
    let sum = |field: &str| about.iter().filter_map(|entry| entry["mutants"][field].as_u64()).sum::<u64>();
    let seconds: f64 = about.iter().filter(|e| e["layer"] != "decoder").filter_map(|e| e["cpu_seconds"].as_f64()).sum();
    format!("<tr><th>{mnemonic}{cells}<td>{} of {}<td class=\"n\">{seconds:.1}</tr>", sum("killed"), sum("total"))
}

/// `3p`, `1a`, `12,345t`: claims proved, claims of which all cases were tried, cases tested.
fn cell<'a>(entries: impl Iterator<Item = &'a &'a Value>) -> String {
    let (mut proved, mut all, mut tested, mut class, mut count) = (0, 0, 0, "pass", 0);
    for entry in entries {
        count += 1;
        match entry {
            _ if is(entry, "fail") => class = "fail",
            _ if is(entry, "skip") => class = if class == "fail" { "fail" } else { "skip" },
            _ if entry["method"] == "proved" => proved += 1,
            _ if entry["method"].get("exhaustive").is_some() => all += 1,
            _ => tested += entry["method"]["tested"].as_u64().unwrap_or(0),
        }
    }
    let parts = [(proved, 'p'), (all, 'a'), (tested, 't')].into_iter().filter(|(n, _)| *n > 0);
    let text: Vec<String> = parts.map(|(n, unit)| format!("{}{unit}", grouped(n))).collect();
    match (count, text.is_empty()) {
        (0, _) => "<td class=\"none\">-".into(),
        (_, true) if class == "skip" => "<td class=\"skip\">not run".into(),
        (_, true) => "<td class=\"fail\">failed".into(),
        _ => format!("<td class=\"{class}\">{}", text.join(" ")),
    }
}

/// 12345 as 12,345.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or("")).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(entries: &str) -> String {
        table(&serde_json::from_str(&format!("{{\"entries\":[{entries}]}}")).expect("JSON"))
    }

    #[test]
    fn what_was_tested_does_not_look_proved() {
        let page = report(
            r#"{"name":"arm.step.add","layer":"arm","instructions":["add"],"method":"proved","outcome":"pass","cpu_seconds":0.5},
               {"name":"engine.jit.add","layer":"engine","instructions":["add"],"method":{"tested":12345},"outcome":"pass"}"#,
        );
        assert!(page.contains(
            "<tr><th>add<td class=\"none\">-<td class=\"none\">-<td class=\"pass\">1p<td class=\"pass\">12,345t"
        ));
        assert!(page.contains("2 claims hold, 0 do not, 0 were not tried"));
    }

    #[test]
    fn what_failed_or_was_skipped_is_named() {
        let page = report(
            r#"{"name":"x","layer":"arm","instructions":["sub"],"method":"proved","outcome":{"fail":"a < b"}},
               {"name":"y","layer":"witness","instructions":["sub"],"method":{"tested":0},"outcome":{"skip":"no Spike"}}"#,
        );
        assert!(page.contains("<li><b>x</b>: a &lt; b</li>"));
        assert!(page.contains("<td class=\"fail\">failed<td class=\"none\">-<td class=\"skip\">not run"));
    }

    #[test]
    fn a_missing_report_says_so() {
        assert!(section(Path::new("/nonexistent")).contains("not run: <code>make formal</code>"));
    }
}
