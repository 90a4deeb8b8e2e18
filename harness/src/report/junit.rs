//! `junit.xml`, for services that show test results: a suite per suite, a case per cell.

use super::{Cell, Report, TestReport, Totals, Verdict};

/// The report as JUnit's XML.
pub fn xml(report: &Report) -> String {
    let mut text =
        String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"lockstep conformance\">\n");
    for suite in &report.suites {
        let Totals { passed, failed, skipped, expected } = suite.totals;
        text += &format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" skipped=\"{}\" errors=\"{}\">\n",
            escape(&suite.name),
            passed + failed + skipped + expected,
            skipped + expected,
            usize::from(suite.problem.is_some()),
        );
        report.tests.iter().filter(|test| test.suite == suite.name).for_each(|test| text += &cases(test));
        if let Some(problem) = &suite.problem {
            text += &format!("    <system-err>{}</system-err>\n", escape(problem));
        }
        text += "  </testsuite>\n";
    }
    text + "</testsuites>\n"
}

fn cases(test: &TestReport) -> String {
    let case = |(column, cell): (&String, &Cell)| {
        let open = format!(
            "    <testcase classname=\"{}.{}\" name=\"{}\"",
            escape(&test.suite),
            escape(column),
            escape(&test.name)
        );
        let reason = escape(cell.reason.as_deref().unwrap_or_default());
        match cell.verdict {
            Verdict::Pass => format!("{open}/>\n"),
            Verdict::Fail => format!("{open}><failure message=\"{reason}\"/></testcase>\n"),
            Verdict::Skip | Verdict::Expected => format!("{open}><skipped message=\"{reason}\"/></testcase>\n"),
        }
    };
    test.cells.iter().map(case).collect()
}

/// Text in XML and HTML.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            // XML has no other control characters.
            c if c.is_control() && !matches!(c, '\n' | '\t') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("<a b=\"c\">&'\u{1}"), "&lt;a b=&quot;c&quot;&gt;&amp;&#39;\u{fffd}");
    }
}
