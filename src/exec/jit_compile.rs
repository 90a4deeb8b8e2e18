//! From a region to the host's instructions.

use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{Context as Compilation, isa::OwnedTargetIsa};
use cranelift_frontend::FunctionBuilderContext;

use super::jit_emit::{self, Emitter};
use super::jit_region::Region;

/// Compiles regions, one after the other.
pub(super) struct Compiler {
    isa: OwnedTargetIsa,
    functions: FunctionBuilderContext,
    compilation: Compilation,
    /// The address of the table of slots, which generated code reads.
    slots: usize,
    /// Whether the code looks at loads.
    looks: bool,
}

/// Instructions of the host that may be put at any address with that alignment.
pub(super) struct Code {
    pub bytes: Vec<u8>,
    /// In bytes.
    pub alignment: u64,
}

impl Compiler {
    pub fn new(isa: OwnedTargetIsa, slots: usize, looks: bool) -> Compiler {
        Compiler { isa, functions: FunctionBuilderContext::new(), compilation: Compilation::new(), slots, looks }
    }

    /// A compiler of the same.
    pub fn another(&self) -> Compiler {
        Compiler::new(self.isa.clone(), self.slots, self.looks)
    }

    /// The code of `region`; `None` if Cranelift refuses it.
    pub fn region(&mut self, region: &Region) -> Option<Code> {
        let config = self.isa.frontend_config();
        Emitter::new(&mut self.compilation, &mut self.functions, region, self.slots, self.looks).emit(config);
        self.compile()
    }

    /// The code through which the engine calls regions.
    pub fn door(&mut self) -> Option<Code> {
        jit_emit::emit_door(&mut self.compilation, self.isa.frontend_config());
        self.compile()
    }

    fn compile(&mut self) -> Option<Code> {
        let compiled = self.compilation.compile(&*self.isa, &mut ControlPlane::default());
        let code = compiled.ok().and_then(|compiled| {
            // Code that names another function could not be moved; none does.
            let can_move = compiled.buffer.relocs().is_empty();
            let alignment = u64::from(compiled.buffer.alignment.max(self.isa.function_alignment().minimum));
            can_move.then(|| Code { bytes: compiled.code_buffer().to_vec(), alignment })
        });
        self.compilation.clear();
        code
    }
}

/// The host that this process runs on, if generated code for it can be made here.
pub(super) fn host_isa() -> Option<OwnedTargetIsa> {
    // The generated code reads words as the host has them.
    if cfg!(target_endian = "big") {
        return None;
    }
    let mut flags = settings::builder();
    let is_checked = if cfg!(debug_assertions) { "true" } else { "false" };
    for (flag, value) in [
        ("opt_level", "speed"),
        ("is_pic", "false"),
        ("use_colocated_libcalls", "false"),
        // Cranelift's tail calls need them.
        ("preserve_frame_pointers", "true"),
        ("enable_verifier", is_checked),
    ] {
        flags.set(flag, value).ok()?;
    }
    cranelift_native::builder().ok()?.finish(settings::Flags::new(flags)).ok()
}
