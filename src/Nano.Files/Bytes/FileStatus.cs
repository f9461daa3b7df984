using System.Runtime.InteropServices;

namespace Nano;

/// <summary>The kind of file system entry that a path names.</summary>
public enum FileKind
{
    /// <summary>Not known: there is nothing, or the system does not tell.</summary>
    Unknown,

    /// <summary>A file with content on a disk.</summary>
    Regular,

    /// <summary>A folder.</summary>
    Folder,

    /// <summary>A pipe; opening it waits for a program at the other end.</summary>
    Pipe,

    /// <summary>A socket.</summary>
    Socket,

    /// <summary>A device, such as /dev/zero, which may be endless, or a disk.</summary>
    Device,
}

/// <summary>
/// The kind of a file and its identity, links followed, without opening it: opening a pipe may wait for ever. Linux
/// tells by statx (man 2 statx), the only system call of this program that .NET does not offer;
/// elsewhere the kind is <see cref="FileKind.Unknown"/> unless it is a folder.
/// </summary>
/// <param name="Kind">The kind.</param>
/// <param name="Device">The number of the file system, 0 where it is not known.</param>
/// <param name="Inode">The number of the file in it; two names of one file have the same.</param>
public readonly partial record struct FileStatus(FileKind Kind, ulong Device, ulong Inode)
{
    private const int CurrentFolder = -100; // AT_FDCWD
    private const uint KindAndInode = 0x1 | 0x100; // STATX_TYPE, STATX_INO
    // S_IFMT, S_IFIFO ...
    private const int KindMask = 0xF000, PipeBits = 0x1000, CharacterBits = 0x2000, FolderBits = 0x4000,
        BlockBits = 0x6000, RegularBits = 0x8000, SocketBits = 0xC000;

    /// <summary>The status of what a path leads to.</summary>
    public static FileStatus Of(string path)
    {
        if (OperatingSystem.IsLinux() && TryRead(path, out var buffer))
            return new FileStatus((buffer.Mode & KindMask) switch
            {
                RegularBits => FileKind.Regular,
                FolderBits => FileKind.Folder,
                PipeBits => FileKind.Pipe,
                SocketBits => FileKind.Socket,
                CharacterBits or BlockBits => FileKind.Device,
                _ => FileKind.Unknown,
            }, ((ulong)buffer.DeviceMajor << 32) | buffer.DeviceMinor, buffer.Inode);
        return new FileStatus(Directory.Exists(path) ? FileKind.Folder : FileKind.Unknown, 0, 0);
    }

    private static bool TryRead(string path, out Buffer buffer)
    {
        buffer = default;
        try
        {
            return Statx(CurrentFolder, path, 0, KindAndInode, ref buffer) == 0;
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
            return false; // a C library older than the call
        }
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int folder, string path, int flags, uint mask, ref Buffer buffer);

    /// <summary>struct statx, of which a few fields are read.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Buffer
    {
        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(136)]
        public uint DeviceMajor;

        [FieldOffset(140)]
        public uint DeviceMinor;
    }
}
