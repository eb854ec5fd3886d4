//! Serves the sandbox on loopback. Options: `--port N` (or SANDBOX_PORT; 0 chooses a free one), `--callback URL` (the
//! callback registered with GitHub, or SANDBOX_CALLBACK_URL), `--seed N`. It prints one line when it listens.

#![deny(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod body;
mod front;

use front::Front;
use sandbox::{Sandbox, Settings};
use std::{
    env,
    io::Write,
    net::Ipv4Addr,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};
use tokio::net::TcpListener;

const DEFAULT_PORT: u16 = 8790;

struct Options {
    port: u16,
    settings: Settings,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = match options(env::args().skip(1), |name| env::var(name).ok()) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("sandbox: {problem}");
            return ExitCode::from(2);
        }
    };
    match serve(options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: Options) -> std::io::Result<()> {
    // It always listens on loopback only, because anyone who reaches the port controls the stand-in account.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
    let address = listener.local_addr()?;
    println!("sandbox listening on http://{address}");
    std::io::stdout().flush()?;
    front::accept(listener, Front::new(Sandbox::new(options.settings))).await
}

fn options(
    mut arguments: impl Iterator<Item = String>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Options, String> {
    // Each process has a new seed, because a database that outlives the process must never meet a hash twice.
    let settings = Settings {
        seed: nanos_now(),
        ..Settings::default()
    };
    let mut options = Options {
        port: DEFAULT_PORT,
        settings,
    };
    let mut set = |name: &str, value: String| -> Result<(), String> {
        match name {
            "--port" => {
                options.port = value
                    .parse()
                    .map_err(|_| format!("{value} is not a port"))?
            }
            "--seed" => {
                options.settings.seed = value
                    .parse()
                    .map_err(|_| format!("{value} is not a seed"))?
            }
            "--callback" => options.settings.github_callback_url = value,
            unknown => {
                return Err(format!(
                    "unknown option {unknown}; there are --port, --callback and --seed"
                ));
            }
        }
        Ok(())
    };
    for (name, option) in [
        ("SANDBOX_PORT", "--port"),
        ("SANDBOX_CALLBACK_URL", "--callback"),
    ] {
        if let Some(value) = variable(name) {
            set(option, value)?;
        }
    }
    while let Some(name) = arguments.next() {
        let value = arguments
            .next()
            .ok_or_else(|| format!("{name} wants a value"))?;
        set(&name, value)?;
    }
    Ok(options)
}

fn nanos_now() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str], port: Option<&str>) -> Result<u16, String> {
        let variable = |name: &str| {
            (name == "SANDBOX_PORT")
                .then(|| port.map(str::to_owned))
                .flatten()
        };
        options(arguments.iter().map(|text| (*text).to_owned()), variable)
            .map(|options| options.port)
    }

    #[test]
    fn the_port_comes_from_the_option_then_the_environment_then_the_default() {
        assert_eq!(parsed(&[], None), Ok(8790));
        assert_eq!(parsed(&[], Some("9000")), Ok(9000));
        assert_eq!(parsed(&["--port", "0"], Some("9000")), Ok(0));
    }

    #[test]
    fn an_option_that_is_misspelt_or_has_no_value_is_an_error() {
        for wrong in [
            &["--prot", "1"][..],
            &["--port"],
            &["--port", "many"],
            &["--seed", "x"],
        ] {
            assert!(parsed(wrong, None).is_err(), "{wrong:?}");
        }
    }
}
