using System.Runtime.InteropServices;

namespace Nano;

/// <summary>
/// Machine code in memory of its own, on Linux. Pages are written first and executed afterwards,
/// never both at once; they stay until the process ends.
/// </summary>
internal static unsafe partial class ExecutableMemory
{
    private const int Read = 1, Write = 2, Execute = 4, PrivateAndAnonymous = 0x22;

    /// <summary>
    /// The address of a copy of the code that can be called; 0 if the system does not allow it.
    /// </summary>
    public static nint TryAdd(ReadOnlySpan<byte> code)
    {
        nint page = Environment.SystemPageSize, length = (code.Length + page - 1) / page * page;
        try
        {
            nint start = Map(0, length, Read | Write, PrivateAndAnonymous, -1, 0);
            if (start == -1)
                return 0;
            code.CopyTo(new Span<byte>((void*)start, code.Length));
            if (Protect(start, length, Read | Execute) == 0)
                return start;
            _ = Unmap(start, length);
            return 0;
        }
        catch (Exception e) when (e is EntryPointNotFoundException or DllNotFoundException)
        {
            return 0;
        }
    }

    [LibraryImport("libc", EntryPoint = "mmap")]
    private static partial nint Map(nint address, nint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect")]
    private static partial int Protect(nint address, nint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nint length);
}
