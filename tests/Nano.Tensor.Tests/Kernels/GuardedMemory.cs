using System.Runtime.InteropServices;

namespace Nano.Tests;

/// <summary>
/// Floats that touch a page nobody may access, on either side: reading or writing one float too
/// many ends the process at once. Linux only.
/// </summary>
internal sealed unsafe partial class GuardedMemory : IDisposable
{
    private const int ReadWrite = 1 | 2, PrivateAnonymous = 2 | 0x20;
    private readonly nint mapping;
    private readonly nuint mapped;

    public GuardedMemory(ReadOnlySpan<float> values, bool atEnd)
    {
        nuint page = (nuint)Environment.SystemPageSize, bytes = (nuint)Math.Max(values.Length, 1) * sizeof(float);
        nuint inner = (bytes + page - 1) / page * page;
        mapped = inner + (2 * page);
        mapping = Map(0, mapped, ReadWrite, PrivateAnonymous, -1, 0);
        if (mapping == -1 || Protect(mapping, page, 0) != 0 || Protect(mapping + (nint)(page + inner), page, 0) != 0)
            throw new InvalidOperationException($"cannot map guarded memory: error {Marshal.GetLastPInvokeError()}");
        Pointer = (float*)(mapping + (nint)page + (atEnd ? (nint)(inner - ((nuint)values.Length * sizeof(float))) : 0));
        Length = values.Length;
        values.CopyTo(Values);
    }

    public float* Pointer { get; }

    public int Length { get; }

    public Span<float> Values => new(Pointer, Length);

    public void Dispose() => _ = Unmap(mapping, mapped);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, long offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(nint address, nuint length);
}
