//! The examples of the docs, the key's page and the landing page. They come from files in their own languages, filled
//! from the configuration. They name the variable and never contain a key.

use crate::config::Config;

/// OpenRouter's API, for which the keys are made, as configured.
pub struct Api<'a> {
    pub base_url: &'a str,
    pub model: &'a str,
}

impl<'a> Api<'a> {
    pub fn of(config: &'a Config) -> Self {
        Self {
            base_url: config.upstreams.openrouter_api.as_str(),
            model: &config.published.example_model,
        }
    }

    /// The base URL that Anthropic's clients take, which add `/v1` themselves.
    fn root(&self) -> &'a str {
        self.base_url.strip_suffix("/v1").unwrap_or(self.base_url)
    }

    fn fill(&self, text: &str) -> String {
        text.trim_end()
            .replace("{{base_url}}", self.base_url)
            .replace("{{api_root}}", self.root())
            .replace("{{model}}", self.model)
    }
}

pub struct Example {
    /// The example's name in addresses.
    pub id: &'static str,
    pub title: &'static str,
    /// The file or the program into which the text goes.
    pub place: &'static str,
    pub text: String,
    pub note: &'static str,
}

/// Everything about using a key, as the docs and the key's page show it.
pub struct Uses<'a> {
    pub api: Api<'a>,
    pub variable: Example,
    pub examples: Vec<Example>,
    pub check: Example,
}

impl<'a> Uses<'a> {
    pub fn of(config: &'a Config) -> Self {
        let api = Api::of(config);
        Self {
            variable: variable(),
            examples: examples(&api),
            check: check(&api),
            api,
        }
    }
}

fn examples(api: &Api<'_>) -> Vec<Example> {
    vec![
        curl(api),
        Example {
            id: "python",
            title: "Python",
            place: "hello.py",
            text: api.fill(include_str!("examples/hello.py")),
            note: "Needs the openai package: pip install openai. Any client for OpenAI's API works in the same way, with this base URL and this key.",
        },
        Example {
            id: "javascript",
            title: "JavaScript",
            place: "hello.mjs",
            text: api.fill(include_str!("examples/hello.mjs")),
            note: "Runs with node hello.mjs and needs no package. Keep the key on a server: in a web page, everybody can read it.",
        },
        Example {
            id: "claude-code",
            title: "Claude Code",
            place: "Shell",
            text: api.fill(include_str!("examples/claude-code.sh")),
            note: "ANTHROPIC_API_KEY has to be set, and empty. If you were signed in to Anthropic, run /logout once; /status shows what is in use. Only Anthropic's own models are promised to work.",
        },
        Example {
            id: "codex",
            title: "Codex",
            place: "~/.codex/config.toml",
            text: api.fill(include_str!("examples/codex.toml")),
            note: "Codex reads this from your own folder only, not from a project's. It may warn that it does not know the model.",
        },
    ]
}

pub fn curl(api: &Api<'_>) -> Example {
    Example {
        id: "curl",
        title: "curl",
        place: "Shell",
        text: api.fill(include_str!("examples/curl.sh")),
        note: "",
    }
}

/// Shows how to put the key into the variable that every example reads.
fn variable() -> Example {
    Example {
        id: "variable",
        title: "Put the key into a variable",
        place: "Shell",
        text: include_str!("examples/variable.sh").trim_end().to_owned(),
        note: "",
    }
}

/// Shows how to ask OpenRouter what a key may still spend.
fn check(api: &Api<'_>) -> Example {
    Example {
        id: "check",
        title: "Check your key",
        place: "Shell",
        text: api.fill(include_str!("examples/check.sh")),
        note: "",
    }
}

/// Shows how a terminal gets a key, and uses it at once.
pub fn terminal(config: &Config) -> Example {
    let script = include_str!("examples/terminal.sh");
    Example {
        id: "terminal",
        title: "Get a key in a terminal",
        place: "bash, zsh",
        text: Api::of(config)
            .fill(script)
            .replace("{{origin}}", config.public_origin.as_str()),
        note: "",
    }
}

/// Shows what OpenRouter answers at the limit.
pub fn refusal(period: &str) -> Example {
    Example {
        id: "refusal",
        title: "The answer at the limit",
        place: "Status 403",
        text: include_str!("examples/refusal.json")
            .trim_end()
            .replace("{{period}}", period),
        note: "",
    }
}
