//! A quantity of which a part depends on where the bytes of a request are.

/// Where the bytes of a request are. The same byte cannot be in two of them, but in several variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// The request line.
    Line,
    /// The header fields.
    Headers,
    /// A body with the arguments of a form.
    Form,
    /// A body of JSON, or of another format that is a tree of leaves.
    Document,
    /// A body of XML.
    Xml,
    /// A body of several parts.
    Multipart,
    /// Any other body.
    Opaque,
}

impl Origin {
    pub(super) const ALL: [Origin; 7] =
        [Origin::Line, Origin::Headers, Origin::Form, Origin::Document, Origin::Xml, Origin::Multipart, Origin::Opaque];
    pub(super) const BODIES: [Origin; 5] =
        [Origin::Form, Origin::Document, Origin::Xml, Origin::Multipart, Origin::Opaque];
}

/// Values, bytes or fuel: some whatever the request, and some for each origin if all bytes are there. In between it grows no faster than
/// in proportion, so a request is bounded by the origin of which there is most.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Amount {
    fixed: u128,
    by_origin: [u128; Origin::ALL.len()],
}

impl Amount {
    /// Whatever the request.
    pub(super) fn fixed(amount: u128) -> Amount {
        Amount { fixed: amount, ..Amount::default() }
    }

    /// If all bytes are in one of these.
    pub(super) fn of(origins: &[Origin], amount: u128) -> Amount {
        let mut all = Amount::default();
        for origin in origins {
            all.by_origin.get_mut(*origin as usize).into_iter().for_each(|part| *part = amount);
        }
        all
    }

    /// More, whatever the request.
    pub(super) fn and(self, amount: u128) -> Amount {
        Amount { fixed: self.fixed.saturating_add(amount), ..self }
    }

    pub(super) fn plus(mut self, other: Amount) -> Amount {
        self.fixed = self.fixed.saturating_add(other.fixed);
        self.by_origin.iter_mut().zip(other.by_origin).for_each(|(sum, more)| *sum = sum.saturating_add(more));
        self
    }

    pub(super) fn times(self, times: u128) -> Amount {
        self.each(|part| part.saturating_mul(times))
    }

    /// So many 1,024ths, rounded up.
    pub(super) fn share(self, of_1024: u128) -> Amount {
        self.each(|part| part.saturating_mul(of_1024).div_ceil(1024))
    }

    /// Divided by `by`, rounded up; of 0 the largest amount there is.
    pub(super) fn over(self, by: u128) -> Amount {
        self.each(|part| if by == 0 { u128::MAX } else { part.div_ceil(by) })
    }

    /// The lesser of both, where each of them bounds the same.
    pub(super) fn min(self, other: Amount) -> Amount {
        if other.most() < self.most() { other } else { self }
    }

    /// The most that it can be.
    pub(super) fn most(&self) -> u128 {
        self.fixed.saturating_add(self.by_origin.into_iter().max().unwrap_or_default())
    }

    fn each(mut self, change: impl Fn(u128) -> u128) -> Amount {
        self.fixed = change(self.fixed);
        self.by_origin.iter_mut().for_each(|part| *part = change(*part));
        self
    }
}
