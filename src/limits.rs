//! Every number that can stop us, in one place.
//!
//! A limit is never an accident: each field says why the default is what it is and what happens when it is hit. Limits of the
//! load side end in a diagnostic; limits of the request side end in a flag that rules and the verdict can see.

/// The limits of one engine: load side and request side.
///
/// ```
/// let mut limits = fusewall::Limits::default();
/// limits.arguments = 500;
/// assert_eq!(limits.json_depth, 512);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    // ---- load side -------------------------------------------------------------------------------------------------
    /// Bytes of one rule or data file. Larger: diagnostic. (The largest CRS data file has 100 KB.)
    pub rule_file_bytes: usize,
    /// Bytes of a geographic database. Larger: diagnostic. (GeoLite2-City has 60 MB.)
    pub geo_database_bytes: usize,
    /// Block lists that rules may ask with `@rbl`. 0, the default: none, the operator warns at load and never matches. Hosts that
    /// bring a resolver raise it.
    pub block_lists: usize,
    /// Files that one ruleset may include, data files counted. More: diagnostic.
    pub rule_files: usize,
    /// Bytes of a compiled bundle, and of the files in it. Larger: diagnostic. (That of CRS has about 4 MB; a geographic database
    /// goes into it too.)
    pub bundle_bytes: usize,
    /// Depth of `Include` inside `Include`. Deeper: diagnostic.
    pub include_depth: usize,
    /// Rules in a ruleset, chain links counted. More: diagnostic.
    pub rules: usize,
    /// Targets and exclusions of one rule. More: diagnostic. (CRS with all its exclusions has about 40.)
    pub targets: usize,
    /// Errors that a report keeps; the rest is counted. Keeps a hostile rule file from filling the memory with findings.
    pub diagnostics: usize,
    /// Bytes of one pattern's source text. Longer: diagnostic. (The longest of CRS has 12 KB.)
    pub pattern_bytes: usize,
    /// Nesting of groups in a pattern. Deeper: diagnostic.
    pub pattern_depth: u32,
    /// Bytes of the Thompson NFA of one pattern. Larger: diagnostic at the rule.
    pub nfa_bytes: usize,
    /// Bytes of the dense DFA of one pattern; above it the planner takes a hybrid automaton. 1 MB holds 85 % of the
    /// CRS patterns (14 MB together); 4 MB would add 4 % of them for three times the memory.
    pub dense_dfa_bytes: usize,
    /// Bytes of the table of a hybrid automaton, which a pattern gets that has no dense DFA. 32 KB hold the few hundred states that
    /// ordinary values meet; twice as much saves hostile texts one fuel in fifty.
    pub hybrid_head_bytes: usize,
    /// Bytes of lazy DFA states that one request may visit for one pattern that is too large for a dense DFA and for a hybrid automaton; past it the scan goes on as an
    /// NFA simulation, dearer but with the same answer. A worker thread may keep twice as much for each such pattern.
    pub lazy_dfa_bytes: usize,
    /// Bytes that determinising one pattern may use while it runs.
    pub determinize_bytes: usize,
    /// Bytes of the table in which a pattern with look-around or atomic groups remembers what it has tried in one value, and bytes
    /// of its stack. A value whose table would be larger is searched without one: still exactly, but bounded by `fuel_rule`
    /// alone. A stack that would be larger ends the rule like its budget. 16 MB are a stack for a loop over a megabyte, and the
    /// table of a value of 64 KB under a pattern with two thousand branches and loops. Held while such a search runs, not longer,
    /// and never more than `request_memory` has left.
    pub backtrack_bytes: usize,
    /// Phrases of one `@pm` list and entries of one IP list. More: diagnostic.
    pub list_entries: usize,

    // ---- request side ----------------------------------------------------------------------------------------------
    /// `SecRequestBodyLimit` default, in bytes (ModSecurity's recommended configuration).
    pub request_body: u64,
    /// `SecRequestBodyNoFilesLimit` default, in bytes.
    pub request_body_no_files: u64,
    /// `SecResponseBodyLimit` default, in bytes.
    pub response_body: u64,
    /// `SecArgumentsLimit` default. Arguments past it are not parsed; REQBODY_ERROR or the argument-limit flag is set.
    pub arguments: usize,
    /// `SecRequestBodyJsonDepthLimit` default.
    pub json_depth: usize,
    /// Brackets of a GraphQL document inside each other. Deeper: body error. (Servers that limit it allow 10 to 20 fields.)
    pub graphql_depth: usize,
    /// Messages of a Protobuf body inside each other. Deeper: body error. (The reference parsers refuse more than 100.)
    pub protobuf_depth: usize,
    /// Bytes that may come out of one compressed message of gRPC. More: body error. (What gRPC's own libraries take.)
    pub grpc_message: usize,
    /// Depth of XML elements. Deeper: body error.
    pub xml_depth: usize,
    /// Parts of a multipart body. More: MULTIPART_FILE_LIMIT_EXCEEDED / body error.
    pub multipart_parts: usize,
    /// Bytes of one part header block. More: MULTIPART_INVALID_PART.
    pub multipart_header: usize,
    /// Bytes of the uploaded files of one request that may be stored, so that rules can name them and they can stay. More: body
    /// error. 0, the default: none is stored, and directives that want it warn at load. Hosts that bring a place raise it.
    pub upload_bytes: u64,
    /// Content codings of one body, one over the other. More: not decoded, flagged. (Two are rare, more than two an attack.)
    pub content_codings: usize,
    /// Bytes that may come out of a coded body for each byte of it, once [`coding_ratio_from`](Self::coding_ratio_from) bytes have
    /// come out. More: body error. (Text shrinks to a tenth, logs and tables to a fiftieth.)
    pub coding_ratio: usize,
    /// Decoded bytes below which no ratio matters: so much may be inspected for any request.
    pub coding_ratio_from: usize,
    /// Request headers that are inspected. More: the request is flagged and refused when enforcing.
    pub headers: usize,
    /// Bytes of request line and headers together.
    pub header_bytes: usize,
    /// Bytes of one expanded macro. Longer ones are cut and flagged.
    pub macro_bytes: usize,
    /// Bytes of a pattern that `@rx` has made of macros. A longer one ends like a spent budget of its rule: whoever can make it
    /// long must not thereby switch the rule off. (Reading 4 KB takes half a millisecond, for each value again.)
    pub expanded_pattern_bytes: usize,
    /// Bytes of such a pattern when it is compiled: counted repeats end here. Larger: the same.
    pub expanded_pattern_memory: usize,
    /// Bytes of one TX value, keys counted apart. `setvar:tx.a=%{tx.a}%{tx.a}` ends here.
    pub tx_value_bytes: usize,
    /// Entries of one TX-like collection.
    pub tx_entries: usize,
    /// Records of persistent collections kept in memory. At the limit the least used record makes place, and the request that
    /// needed it is flagged. With a counter or two in each record they take about 40 MB.
    pub collection_records: usize,
    /// Bytes of all records of persistent collections; the same happens.
    pub collection_bytes: usize,
    /// Bytes of one record, bookkeeping included. Changes past it are left out and flagged. This is also the most that is
    /// copied while a shard of the store is locked.
    pub collection_record_bytes: usize,
    /// Entries of one record.
    pub collection_entries: usize,
    /// Bytes of one value in a record; longer ones are cut and flagged.
    pub collection_value_bytes: usize,
    /// Bytes of a record's key and of an entry's name. A collection with a longer key is not initialised, an entry with a longer
    /// name not made; both are flagged. (Cutting them would make different clients one.)
    pub collection_key_bytes: usize,
    /// Milliseconds between two flushes of changed records to `SecDataDir`: what a crash may lose.
    pub collection_flush_millis: u64,
    /// Entries of MATCHED_VARS.
    pub matched_vars: usize,
    /// Bytes of one captured group kept in TX:0-9.
    pub capture_bytes: usize,
    /// Bytes of a value quoted in a log line.
    pub log_value_bytes: usize,
    /// Bytes of one log line.
    pub log_line_bytes: usize,
    /// Match records of one request; the rest is counted.
    pub match_records: usize,
    /// Bytes of one written audit record, and of each body in it. Longer: texts are cut, bodies first, and the record says which.
    /// 256 KB are fifty times an ordinary record, and fit into the messages of the common log shippers (1 MB).
    pub audit_record_bytes: usize,
    /// Bytes of all buffers of one request: body, decoded values, transformed buffers. The value that is being transformed is held
    /// beside them, once.
    pub request_memory: usize,
    /// Fuel of one request: the constant part. The three numbers are the smallest round ones at which no benign request of the
    /// corpora trips with CRS at paranoia level 4: the dearest of 42,000 small ones took 8.5 million on 3.9 KB, forms of 1 MB
    /// take 287 million. A billion is about 1.5 s of CPU.
    pub fuel_base: u64,
    /// Fuel per inspected byte (bytes of request line, headers, bodies).
    pub fuel_per_byte: u64,
    /// Fuel of one request: the cap over both.
    pub fuel_cap: u64,
    /// Fuel of one rule in one request (its verifier, captures and actions).
    pub fuel_rule: u64,
    /// Fuel that each of the phases 2 to 4 may spend whatever the phases before have spent: an answer is looked at, however dear the
    /// request was. What a page without a body costs at paranoia level 4, ten times.
    pub fuel_phase: u64,
    /// The same for phase 5.
    pub fuel_logging: u64,
    /// Fuel that rules with the tag `fusewall/critical` may spend when the budget of a request is spent that is not refused for it.
    pub fuel_critical: u64,
}

impl Limits {
    /// [`upload_bytes`](Self::upload_bytes) of hosts that bring a place for files and say nothing else: ten times the largest body that
    /// the recommended configuration admits.
    pub const UPLOAD_BYTES: u64 = 128 << 20;

    /// Fuel that a request of so many bytes may spend, reserves apart.
    ///
    /// ```
    /// use fusewall::Limits;
    /// assert_eq!(Limits::default().budget(1_000), 6_000_000);
    /// ```
    pub const fn budget(&self, bytes: usize) -> u64 {
        let earned = self.fuel_base.saturating_add(self.fuel_per_byte.saturating_mul(bytes as u64));
        if earned < self.fuel_cap { earned } else { self.fuel_cap }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            rule_file_bytes: 16 << 20,
            geo_database_bytes: 256 << 20,
            block_lists: 0,
            rule_files: 4096,
            bundle_bytes: 512 << 20,
            include_depth: 16,
            rules: 100_000,
            targets: 4096,
            diagnostics: 200,
            pattern_bytes: 64 << 10,
            pattern_depth: 200,
            nfa_bytes: 8 << 20,
            dense_dfa_bytes: 1 << 20,
            hybrid_head_bytes: 32 << 10,
            lazy_dfa_bytes: 512 << 10,
            determinize_bytes: 8 << 20,
            backtrack_bytes: 16 << 20,
            list_entries: 1_000_000,
            request_body: 13_107_200,
            request_body_no_files: 13_107_200,
            response_body: 524_288,
            arguments: 1000,
            json_depth: 512,
            graphql_depth: 128,
            protobuf_depth: 100,
            grpc_message: 4 << 20,
            xml_depth: 512,
            multipart_parts: 1000,
            multipart_header: 16 << 10,
            upload_bytes: 0,
            content_codings: 3,
            coding_ratio: 100,
            coding_ratio_from: 1 << 20,
            headers: 1000,
            header_bytes: 1 << 20,
            macro_bytes: 64 << 10,
            expanded_pattern_bytes: 4 << 10,
            expanded_pattern_memory: 256 << 10,
            tx_value_bytes: 64 << 10,
            tx_entries: 4096,
            collection_records: 100_000,
            collection_bytes: 64 << 20,
            collection_record_bytes: 16 << 10,
            collection_entries: 64,
            collection_value_bytes: 4096,
            collection_key_bytes: 1024,
            collection_flush_millis: 1000,
            matched_vars: 4096,
            capture_bytes: 64 << 10,
            log_value_bytes: 200,
            log_line_bytes: 16 << 10,
            match_records: 1000,
            audit_record_bytes: 256 << 10,
            request_memory: 64 << 20,
            fuel_base: 5_000_000,
            fuel_per_byte: 1_000,
            fuel_cap: 1_000_000_000,
            fuel_rule: 200_000_000,
            fuel_phase: 500_000,
            fuel_logging: 5_000_000,
            fuel_critical: 500_000,
        }
    }
}
