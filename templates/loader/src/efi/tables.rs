//! The structures of UEFI that the loader uses, with the specification's order and the fields it needs by name.
//!
//! UEFI 2.10: §4.3 system table, §4.4 boot services, §4.5 runtime services, §9.1 loaded image, §12.3-12.4 text input and
//! output, §12.8 Serial I/O, §13.4-13.5 files, §13.9 Block I/O, §13.2 Load File 2. A field that is never called is a `usize`.

use core::ffi::c_void;

pub(crate) type Handle = *mut c_void;
pub(crate) type Status = usize;

pub(crate) const ERROR: usize = 1 << (usize::BITS - 1);
pub(crate) const UNSUPPORTED: Status = ERROR | 3;
pub(crate) const BUFFER_TOO_SMALL: Status = ERROR | 5;
pub(crate) const DEVICE_ERROR: Status = ERROR | 7;
pub(crate) const OUT_OF_RESOURCES: Status = ERROR | 9;
pub(crate) const MEDIA_CHANGED: Status = ERROR | 13;
pub(crate) const NOT_FOUND: Status = ERROR | 14;
pub(crate) const ACCESS_DENIED: Status = ERROR | 15;
pub(crate) const SECURITY_VIOLATION: Status = ERROR | 26;

#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guid(pub u32, pub u16, pub u16, pub [u8; 8]);

pub(crate) const BLOCK_IO: Guid = Guid(
    0x964e_5b21,
    0x6459,
    0x11d2,
    [0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b],
);
pub(crate) const LOADED_IMAGE: Guid = Guid(
    0x5b1b_31a1,
    0x9562,
    0x11d2,
    [0x8e, 0x3f, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b],
);
pub(crate) const DEVICE_PATH: Guid = Guid(
    0x0957_6e91,
    0x6d3f,
    0x11d2,
    [0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b],
);
pub(crate) const FILE_SYSTEM: Guid = Guid(
    0x964e_5b22,
    0x6459,
    0x11d2,
    [0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b],
);
pub(crate) const FILE_INFO: Guid = Guid(
    0x0957_6e92,
    0x6d3f,
    0x11d2,
    [0x8e, 0x39, 0x00, 0xa0, 0xc9, 0x69, 0x72, 0x3b],
);
pub(crate) const LOAD_FILE_2: Guid = Guid(
    0x4006_c0c1,
    0xfcb3,
    0x403e,
    [0x99, 0x6d, 0x4a, 0x6c, 0x87, 0x24, 0xe0, 0x6d],
);
pub(crate) const SERIAL_IO: Guid = Guid(
    0xbb25_cf6f,
    0xf1d4,
    0x11d2,
    [0x9a, 0x0c, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0xfd],
);
/// The vendor path under which Linux looks for its initrd (`LINUX_EFI_INITRD_MEDIA_GUID`).
pub(crate) const INITRD_MEDIA: Guid = Guid(
    0x5568_e427,
    0x68fc,
    0x4f3d,
    [0xac, 0x74, 0xca, 0x55, 0x52, 0x31, 0xcc, 0x68],
);
/// The name space of the specification's own variables.
pub(crate) const GLOBAL_VARIABLE: Guid = Guid(
    0x8be4_df61,
    0x93ca,
    0x11d2,
    [0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c],
);

#[repr(C)]
pub(crate) struct Header {
    signature: u64,
    pub revision: u32,
    size: u32,
    checksum: u32,
    reserved: u32,
}

#[repr(C)]
pub(crate) struct SystemTable {
    pub header: Header,
    pub vendor: *const u16,
    vendor_revision: u32,
    input_handle: Handle,
    pub input: *mut TextInput,
    output_handle: Handle,
    pub output: *mut TextOutput,
    error_handle: Handle,
    error: *mut TextOutput,
    pub runtime: *mut RuntimeServices,
    pub boot: *mut BootServices,
}

#[repr(C)]
pub(crate) struct TextOutput {
    reset: usize,
    pub output_string: extern "efiapi" fn(*mut TextOutput, *const u16) -> Status,
    pub test_string: extern "efiapi" fn(*mut TextOutput, *const u16) -> Status,
    pub query_mode: extern "efiapi" fn(*mut TextOutput, usize, *mut usize, *mut usize) -> Status,
    set_mode: usize,
    pub set_attribute: extern "efiapi" fn(*mut TextOutput, usize) -> Status,
    pub clear_screen: extern "efiapi" fn(*mut TextOutput) -> Status,
    pub set_cursor_position: extern "efiapi" fn(*mut TextOutput, usize, usize) -> Status,
    pub enable_cursor: extern "efiapi" fn(*mut TextOutput, bool) -> Status,
    pub mode: *const TextMode,
}

#[repr(C)]
pub(crate) struct TextMode {
    last: i32,
    pub mode: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub(crate) struct InputKey {
    pub scan_code: u16,
    pub character: u16,
}

#[repr(C)]
pub(crate) struct TextInput {
    reset: usize,
    pub read_key_stroke: extern "efiapi" fn(*mut TextInput, *mut InputKey) -> Status,
    pub wait_for_key: Handle,
}

#[repr(C)]
pub(crate) struct BootServices {
    header: Header,
    raise_tpl: usize,
    restore_tpl: usize,
    pub allocate_pages: extern "efiapi" fn(u32, u32, usize, *mut u64) -> Status,
    pub free_pages: extern "efiapi" fn(u64, usize) -> Status,
    pub get_memory_map: extern "efiapi" fn(*mut usize, *mut u8, *mut usize, *mut usize, *mut u32) -> Status,
    allocate_pool: usize,
    free_pool: usize,
    pub create_event: extern "efiapi" fn(u32, usize, usize, *mut c_void, *mut Handle) -> Status,
    pub set_timer: extern "efiapi" fn(Handle, u32, u64) -> Status,
    pub wait_for_event: extern "efiapi" fn(usize, *const Handle, *mut usize) -> Status,
    signal_event: usize,
    close_event: usize,
    check_event: usize,
    pub install_protocol: extern "efiapi" fn(*mut Handle, *const Guid, u32, *const c_void) -> Status,
    reinstall_protocol: usize,
    pub uninstall_protocol: extern "efiapi" fn(Handle, *const Guid, *const c_void) -> Status,
    pub handle_protocol: extern "efiapi" fn(Handle, *const Guid, *mut *mut c_void) -> Status,
    reserved: usize,
    register_protocol_notify: usize,
    pub locate_handle: extern "efiapi" fn(u32, *const Guid, *const c_void, *mut usize, *mut Handle) -> Status,
    locate_device_path: usize,
    install_configuration_table: usize,
    pub load_image: extern "efiapi" fn(bool, Handle, *const u8, *const u8, usize, *mut Handle) -> Status,
    pub start_image: extern "efiapi" fn(Handle, *mut usize, *mut *mut u16) -> Status,
    pub exit: extern "efiapi" fn(Handle, Status, usize, *const u16) -> Status,
    pub unload_image: extern "efiapi" fn(Handle) -> Status,
    exit_boot_services: usize,
    get_next_monotonic_count: usize,
    stall: usize,
    pub set_watchdog_timer: extern "efiapi" fn(usize, u64, usize, *const u16) -> Status,
    pub connect_controller: extern "efiapi" fn(Handle, *const Handle, *const u8, bool) -> Status,
}

#[repr(C)]
pub(crate) struct RuntimeServices {
    header: Header,
    get_time: usize,
    set_time: usize,
    get_wakeup_time: usize,
    set_wakeup_time: usize,
    set_virtual_address_map: usize,
    convert_pointer: usize,
    pub get_variable: extern "efiapi" fn(*const u16, *const Guid, *mut u32, *mut usize, *mut u8) -> Status,
    get_next_variable_name: usize,
    pub set_variable: extern "efiapi" fn(*const u16, *const Guid, u32, usize, *const u8) -> Status,
    get_next_high_monotonic_count: usize,
    pub reset_system: extern "efiapi" fn(u32, Status, usize, *const u8) -> !,
}

#[repr(C)]
pub(crate) struct Media {
    pub id: u32,
    pub removable: bool,
    pub present: bool,
    pub logical_partition: bool,
    pub read_only: bool,
    pub write_caching: bool,
    pub block_size: u32,
    pub io_align: u32,
    pub last_block: u64,
}

#[repr(C)]
pub(crate) struct BlockIo {
    revision: u64,
    pub media: *const Media,
    pub reset: extern "efiapi" fn(*mut BlockIo, bool) -> Status,
    pub read_blocks: extern "efiapi" fn(*mut BlockIo, u32, u64, usize, *mut u8) -> Status,
}

#[repr(C)]
pub(crate) struct SerialIo {
    revision: u32,
    reset: usize,
    pub set_attributes: extern "efiapi" fn(*mut SerialIo, u64, u32, u32, u32, u8, u32) -> Status,
    pub set_control: extern "efiapi" fn(*mut SerialIo, u32) -> Status,
    pub get_control: extern "efiapi" fn(*mut SerialIo, *mut u32) -> Status,
    pub write: extern "efiapi" fn(*mut SerialIo, *mut usize, *const u8) -> Status,
    pub read: extern "efiapi" fn(*mut SerialIo, *mut usize, *mut u8) -> Status,
}

#[repr(C)]
pub(crate) struct LoadedImage {
    revision: u32,
    parent: Handle,
    system: *mut SystemTable,
    pub device: Handle,
    file_path: *const u8,
    reserved: *mut c_void,
    pub options_length: u32,
    pub options: *const u16,
    pub base: *const u8,
    pub size: u64,
}

#[repr(C)]
pub(crate) struct FileSystem {
    revision: u64,
    pub open_volume: extern "efiapi" fn(*mut FileSystem, *mut *mut FileProtocol) -> Status,
}

#[repr(C)]
pub(crate) struct FileProtocol {
    revision: u64,
    pub open: extern "efiapi" fn(*mut FileProtocol, *mut *mut FileProtocol, *const u16, u64, u64) -> Status,
    pub close: extern "efiapi" fn(*mut FileProtocol) -> Status,
    delete: usize,
    pub read: extern "efiapi" fn(*mut FileProtocol, *mut usize, *mut u8) -> Status,
    write: usize,
    get_position: usize,
    pub set_position: extern "efiapi" fn(*mut FileProtocol, u64) -> Status,
    pub get_info: extern "efiapi" fn(*mut FileProtocol, *const Guid, *mut usize, *mut u8) -> Status,
}

/// The head that the firmware sees; what follows it in memory is the provider's own.
#[repr(C)]
pub(crate) struct LoadFile2 {
    pub load_file: extern "efiapi" fn(*mut LoadFile2, *const u8, bool, *mut usize, *mut u8) -> Status,
}
