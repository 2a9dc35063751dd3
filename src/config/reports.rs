//! `tls-reports`: where the reports come from that others send about TLS (RFC 8460).

use std::path::PathBuf;

use super::fields::Fields;
use super::report::Report;
use super::scalar::choose;
use super::yaml::Node;
use super::{Listen, Paths};

/// Where reports come from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsReports {
    /// A directory that somebody puts them into, one a file.
    pub directory: Option<PathBuf>,
    /// Whether they are taken by POST at `listen.http`.
    pub post: bool,
}

/// What is wrong with `tls-reports`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum ReportsError {
    #[error("`post` has its effect with `listen.http` only, which is not set")]
    NowhereToPost,
}

/// Reads `tls-reports`.
pub(super) fn read_reports(
    node: Option<&Node>,
    listen: &Listen,
    paths: &Paths<'_>,
    report: &mut Report<'_>,
) -> TlsReports {
    let Some(node) = node else { return TlsReports::default() };
    let fields = Fields::of("tls-reports", node, &["directory", "post"], report);
    let post =
        fields.read("post", report, |text| choose(text, &[("on", true), ("off", false)])).unwrap_or(false);
    if let Some(node) = fields.get("post").filter(|_| post && listen.http.is_none()) {
        report.error(node.mark, ReportsError::NowhereToPost);
    }
    TlsReports { directory: fields.read("directory", report, |text| paths.resolve(text)), post }
}
