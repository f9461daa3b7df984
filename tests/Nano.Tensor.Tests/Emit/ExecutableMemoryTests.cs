using System.Globalization;
using System.Runtime.InteropServices;

namespace Nano.Tests;

public sealed unsafe class ExecutableMemoryTests
{
    private static void SkipUnlessPossible() => Assert.SkipUnless(OperatingSystem.IsLinux()
        && RuntimeInformation.ProcessArchitecture == Architecture.X64, "code is emitted for Linux on x86-64");

    [Fact]
    public void Code_runs_and_its_pages_cannot_be_written()
    {
        SkipUnlessPossible();
        var code = new Assembler();
        code.Move(Register.Rax, Register.Rdi);
        code.Add(Register.Rax, Register.Rsi);
        code.Add(Register.Rax, -1000);
        code.Return();
        nint address = ExecutableMemory.TryAdd(code.ToArray());
        Assert.SkipWhen(address == 0, "this system refuses memory with code");
        Assert.Equal(41 + 1_000_001 - 1000, ((delegate* unmanaged<nint, nint, nint>)address)(41, 1_000_001));
        Assert.Equal("r-xp", Protection(address));
    }

    [Fact]
    public void Code_longer_than_a_page_is_whole()
    {
        SkipUnlessPossible();
        var code = new Assembler();
        code.Move(Register.Rax, Register.Rdi);
        for (int i = 0; i < 2000; i++)
            code.Add(Register.Rax, 3);
        code.Return();
        nint address = ExecutableMemory.TryAdd(code.ToArray());
        Assert.SkipWhen(address == 0, "this system refuses memory with code");
        Assert.Equal(6007, ((delegate* unmanaged<nint, nint>)address)(7));
    }

    /// <summary>The protection of the page at an address, as the system tells it.</summary>
    private static string Protection(nint address)
    {
        foreach (string line in File.ReadLines("/proc/self/maps"))
        {
            string[] fields = line.Split(' ');
            nint[] bounds = [.. fields[0].Split('-').Select(text => nint.Parse(text, NumberStyles.HexNumber,
                CultureInfo.InvariantCulture))];
            if (address >= bounds[0] && address < bounds[1])
                return fields[1];
        }
        return "none";
    }
}
