using System.Text;
using FsCheck;
using FsCheck.Fluent;

namespace Nano.Tests;

/// <summary>Random valid Unicode texts. (FsCheck's own strings hold unpaired surrogates.)</summary>
static class Texts
{
    /// <summary>
    /// Any characters, a quarter each from ASCII, the two halves of the basic plane beside the
    /// surrogates, and beyond it.
    /// </summary>
    public static Gen<string> Any { get; } =
        Gen.OneOf(Gen.Choose(0, 0x7F), Gen.Choose(0x80, 0xD7FF), Gen.Choose(0xE000, 0xFFFF),
            Gen.Choose(0x10000, 0x10FFFF))
            .Select(c => new Rune(c).ToString()).ArrayOf().Select(string.Concat);
}
