//! A response body that arrives whole, or breaks off half-way.

use hyper::body::{Body, Bytes, Frame, SizeHint};
use std::{
    convert::Into,
    io,
    pin::Pin,
    task::{Context, Poll},
};

/// A response body for hyper, which may end with an error after its first half.
pub struct Payload {
    step: Step,
    /// The number of bytes that `Content-Length` promises.
    promised: u64,
}

enum Step {
    /// Everything that will be sent. `cut` is true when that is less than was promised.
    Send {
        bytes: Bytes,
        cut: bool,
    },
    /// Lets the first half reach the socket before the connection breaks.
    Flush,
    Break,
    Done,
}

impl Payload {
    /// A body that arrives whole.
    pub fn whole(bytes: Vec<u8>) -> Self {
        Self {
            promised: bytes.len() as u64,
            step: Step::Send {
                bytes: bytes.into(),
                cut: false,
            },
        }
    }

    /// A body of which half the bytes arrive. All of them are promised, or one more than there are if there are none.
    pub fn half(mut bytes: Vec<u8>) -> Self {
        let promised = bytes.len().max(1) as u64;
        bytes.truncate(bytes.len() / 2);
        Self {
            promised,
            step: Step::Send {
                bytes: bytes.into(),
                cut: true,
            },
        }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match std::mem::replace(&mut self.step, Step::Done) {
            Step::Send { bytes, cut } => {
                self.step = if cut { Step::Flush } else { Step::Done };
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Step::Flush => {
                self.step = Step::Break;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Step::Break => Poll::Ready(Some(Err(io::Error::other("cut by a fault")))),
            Step::Done => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.step {
            Step::Send { bytes, cut } => !cut && bytes.is_empty(),
            Step::Flush | Step::Break => false,
            Step::Done => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.promised)
    }
}
