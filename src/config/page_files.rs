//! The addresses of what the pages load. The build names each file by a hash of its content, so that browsers keep it
//! for ever, and hands the names to the Worker when it starts: a change of a page's script compiles nothing.

use serde::Deserialize;

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PageFiles {
    /// The script of each page.
    pub landing: String,
    pub docs: String,
    pub keys: String,
    pub account: String,
    pub usage: String,
    pub leak: String,
    pub device: String,
    /// The script and the stylesheet of the console. Only its own pages name them.
    pub console: String,
    pub tables: String,
    /// The stylesheet of the charts of usage and the tables behind them.
    pub charts: String,
    /// The one stylesheet of all pages.
    pub style: String,
    pub icon: String,
}

impl PageFiles {
    /// Reads the addresses as the build writes them.
    pub fn parse(json: &str) -> Option<Self> {
        serde_json::from_str(json).ok()
    }
}

/// The addresses where there is no build: natively, where no browser follows them.
impl Default for PageFiles {
    fn default() -> Self {
        let address = |name: &str| format!("/assets/{name}");
        Self {
            landing: address("landing.js"),
            docs: address("docs.js"),
            keys: address("keys.js"),
            account: address("account.js"),
            usage: address("usage.js"),
            leak: address("leak.js"),
            device: address("device.js"),
            console: address("console.js"),
            tables: address("tables.css"),
            charts: address("charts.css"),
            style: address("style.css"),
            icon: address("icon.svg"),
        }
    }
}
