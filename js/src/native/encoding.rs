//! Encodings by their labels (Encoding standard), running decoders, and base64 as browsers do it. A decoder keeps
//! at most the few bytes of an unfinished character.

use std::cell::RefCell;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose};
use encoding_rs::{DecoderResult, Encoding};
use rquickjs::class::{Trace, Tracer};
use rquickjs::{Class, Ctx, Exception, Function as JsFunction, JsLifetime, Object, Value};

use super::{Text, bytes_of};

/// A text that arrives in pieces.
#[rquickjs::class]
struct Decoder {
    running: RefCell<encoding_rs::Decoder>,
    fatal: bool,
}

// SAFETY: it holds no value of the engine.
unsafe impl<'js> JsLifetime<'js> for Decoder {
    type Changed<'to> = Decoder;
}

impl<'js> Trace<'js> for Decoder {
    fn trace<'a>(&self, _: Tracer<'a, 'js>) {}
}

#[rquickjs::methods]
impl Decoder {
    /// The characters that are complete with these bytes; `last` ends the text.
    fn push<'js>(&self, ctx: Ctx<'js>, data: Value<'js>, last: bool) -> rquickjs::Result<String> {
        let bytes = bytes_of(&ctx, &data)?;
        let mut decoder = self.running.borrow_mut();
        let room = match self.fatal {
            true => decoder.max_utf8_buffer_length_without_replacement(bytes.len()),
            false => decoder.max_utf8_buffer_length(bytes.len()),
        };
        let room = room.ok_or_else(|| Exception::throw_range(&ctx, "the data is too long"))?;
        let mut text = String::with_capacity(room);
        if self.fatal {
            let (ended, _) = decoder.decode_to_string_without_replacement(&bytes, &mut text, last);
            if matches!(ended, DecoderResult::Malformed(..)) {
                let message = format!("the data is not valid {}", decoder.encoding().name());
                return Err(Exception::throw_type(&ctx, &message));
            }
        } else {
            let _ = decoder.decode_to_string(&bytes, &mut text, last);
        }
        Ok(text)
    }
}

pub(super) fn fill<'js>(ctx: &Ctx<'js>, table: &Object<'js>) -> rquickjs::Result<()> {
    // The name of a label's encoding; `undefined` if there is none that could decode.
    let name = |label: Text| {
        Encoding::for_label_no_replacement(label.0.as_bytes()).map(|e| e.name().to_ascii_lowercase())
    };
    table.set("encodingName", JsFunction::new(ctx.clone(), name)?)?;
    let decoder = |ctx: Ctx<'js>, name: Text, fatal: bool, keep_bom: bool| {
        let unknown = || Exception::throw_range(&ctx, "unknown encoding");
        let encoding = Encoding::for_label_no_replacement(name.0.as_bytes()).ok_or_else(unknown)?;
        let running = match keep_bom {
            true => encoding.new_decoder_without_bom_handling(),
            false => encoding.new_decoder_with_bom_removal(),
        };
        Class::instance(ctx, Decoder { running: RefCell::new(running), fatal })
    };
    table.set("decoder", JsFunction::new(ctx.clone(), decoder)?)?;
    table.set("atob", JsFunction::new(ctx.clone(), atob)?)?;
    table.set("btoa", JsFunction::new(ctx.clone(), btoa)?)
}

/// Forgiving base64 (infra standard): padding may be missing, whitespace is skipped, stray bits are ignored.
const FORGIVING: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Bytes as characters up to U+00FF; `None` if it is no base64.
fn atob(text: Text) -> Option<String> {
    let compact: String =
        text.0.chars().filter(|c| !matches!(c, ' ' | '\t' | '\n' | '\x0c' | '\r')).collect();
    // Padding is only right where it fills up a group of four.
    let padded = compact.ends_with('=') && !compact.len().is_multiple_of(4);
    let bytes = FORGIVING.decode(&compact).ok().filter(|_| !padded)?;
    Some(bytes.into_iter().map(char::from).collect())
}

/// `None` if a character is above U+00FF.
fn btoa(text: Text) -> Option<String> {
    let bytes: Option<Vec<u8>> = text.0.chars().map(|c| u8::try_from(c).ok()).collect();
    Some(general_purpose::STANDARD.encode(bytes?))
}
