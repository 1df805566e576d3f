//! The loader's UEFI tables are compared with those of the crate uefi-raw, field by field.
//!
//! The loader's images are built from `templates/loader/` alone, without any crate. So uefi-raw checks the loader, and the loader does not
//! use it.

#[allow(dead_code, missing_docs, unreachable_pub)]
#[path = "../../../templates/loader/src/efi/tables.rs"]
mod tables;

use std::mem::offset_of;
use uefi_raw::Status;
use uefi_raw::protocol::block::{BlockIoMedia, BlockIoProtocol};
use uefi_raw::protocol::console::serial::SerialIoProtocol;
use uefi_raw::protocol::console::{InputKey, SimpleTextInputProtocol, SimpleTextOutputMode, SimpleTextOutputProtocol};
use uefi_raw::protocol::device_path::DevicePathProtocol;
use uefi_raw::protocol::file_system::{FileInfo, FileProtocolV1, SimpleFileSystemProtocol};
use uefi_raw::protocol::loaded_image::LoadedImageProtocol;
use uefi_raw::protocol::media::LoadFile2Protocol;
use uefi_raw::table::boot::BootServices;
use uefi_raw::table::runtime::RuntimeServices;
use uefi_raw::table::system::SystemTable;

/// Compares the places of fields: ours, and theirs behind an arrow where they call it otherwise.
macro_rules! same_places {
    ($ours:ty, $theirs:ty: $($field:ident $(=> $other:ident)?),+ $(,)?) => {
        $(assert_eq!(
            offset_of!($ours, $field),
            same_places!(@ $theirs, $field $(, $other)?),
            "{}::{}", stringify!($ours), stringify!($field)
        );)+
    };
    (@ $theirs:ty, $field:ident) => { offset_of!($theirs, $field) };
    (@ $theirs:ty, $field:ident, $other:ident) => { offset_of!($theirs, $other) };
}

#[test]
fn fields_stand_where_uefi_raw_has_them() {
    same_places!(tables::SystemTable, SystemTable: header, vendor => firmware_vendor, input => stdin, output => stdout,
        runtime => runtime_services, boot => boot_services);
    same_places!(tables::TextOutput, SimpleTextOutputProtocol: output_string, test_string, query_mode, set_attribute, clear_screen,
        set_cursor_position, enable_cursor, mode);
    same_places!(tables::TextMode, SimpleTextOutputMode: mode);
    same_places!(tables::InputKey, InputKey: scan_code, character => unicode_char);
    same_places!(tables::TextInput, SimpleTextInputProtocol: read_key_stroke, wait_for_key);
    same_places!(tables::BootServices, BootServices: allocate_pages, free_pages, get_memory_map, create_event, set_timer,
        wait_for_event, install_protocol => install_protocol_interface, uninstall_protocol => uninstall_protocol_interface,
        handle_protocol, locate_handle, load_image, start_image, exit, unload_image, set_watchdog_timer, connect_controller);
    same_places!(tables::RuntimeServices, RuntimeServices: get_variable, set_variable, reset_system);
    same_places!(tables::Media, BlockIoMedia: id => media_id, removable => removable_media, present => media_present,
        logical_partition, read_only, write_caching, block_size, io_align, last_block);
    same_places!(tables::BlockIo, BlockIoProtocol: media, reset, read_blocks);
    same_places!(tables::SerialIo, SerialIoProtocol: set_attributes, set_control => set_control_bits,
        get_control => get_control_bits, write, read);
    same_places!(tables::LoadedImage, LoadedImageProtocol: device => device_handle, options_length => load_options_size,
        options => load_options, base => image_base, size => image_size);
    same_places!(tables::FileSystem, SimpleFileSystemProtocol: open_volume);
    same_places!(tables::FileProtocol, FileProtocolV1: open, close, read, set_position, get_info);
    same_places!(tables::LoadFile2, LoadFile2Protocol: load_file);
}

#[test]
fn guids_and_codes_are_uefi_raws() {
    let bytes = |guid: tables::Guid| {
        let tables::Guid(first, second, third, rest) = guid;
        let first = [&first.to_le_bytes()[..], &second.to_le_bytes(), &third.to_le_bytes()].concat();
        [&first[..], &rest].concat()
    };
    for (ours, theirs) in [
        (tables::BLOCK_IO, BlockIoProtocol::GUID),
        (tables::LOADED_IMAGE, LoadedImageProtocol::GUID),
        (tables::DEVICE_PATH, DevicePathProtocol::GUID),
        (tables::FILE_SYSTEM, SimpleFileSystemProtocol::GUID),
        (tables::FILE_INFO, FileInfo::ID),
        (tables::LOAD_FILE_2, LoadFile2Protocol::GUID),
        (tables::SERIAL_IO, SerialIoProtocol::GUID),
        (
            tables::GLOBAL_VARIABLE,
            uefi_raw::table::runtime::VariableVendor::GLOBAL_VARIABLE.0,
        ),
    ] {
        assert_eq!(bytes(ours), theirs.to_bytes(), "{theirs}");
    }
    for (ours, theirs) in [
        (tables::UNSUPPORTED, Status::UNSUPPORTED),
        (tables::BUFFER_TOO_SMALL, Status::BUFFER_TOO_SMALL),
        (tables::DEVICE_ERROR, Status::DEVICE_ERROR),
        (tables::OUT_OF_RESOURCES, Status::OUT_OF_RESOURCES),
        (tables::MEDIA_CHANGED, Status::MEDIA_CHANGED),
        (tables::NOT_FOUND, Status::NOT_FOUND),
        (tables::ACCESS_DENIED, Status::ACCESS_DENIED),
        (tables::SECURITY_VIOLATION, Status::SECURITY_VIOLATION),
    ] {
        assert_eq!(ours, theirs.0, "{theirs:?}");
    }
}
