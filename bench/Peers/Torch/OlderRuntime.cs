using System.Runtime.InteropServices;
using System.Text;

namespace Nano.Peers;

/// <summary>
/// TorchSharp on systems whose C++ runtime is older than its library asks for (Debian 12). The one symbol that it
/// wants from version GLIBCXX_3.4.32 is never called: compilers name it to refuse runtimes that do not set the
/// standard streams up themselves, and libtorch sets them up. So the copy in the build output has that version
/// marked as one that may be absent.
/// </summary>
internal static class OlderRuntime
{
    private const string Library = "libLibTorchSharp.so", Version = "GLIBCXX_3.4.32";
    private const ushort MayBeAbsent = 2; // VER_FLG_WEAK in an entry of .gnu.version_r

    /// <summary>Loads TorchSharp's library, and changes its copy first where it does not load otherwise.</summary>
    /// <returns>A remark for the page of results; empty where nothing was changed.</returns>
    public static string Load()
    {
        string? path = Directory.EnumerateFiles(AppContext.BaseDirectory, Library, SearchOption.AllDirectories)
            .FirstOrDefault();
        if (path is null)
            return "";
        byte[] bytes = File.ReadAllBytes(path);
        int at = bytes.AsSpan().IndexOf(BitConverter.GetBytes(Hash(Version)));
        if (!NativeLibrary.TryLoad(path, out _) && at >= 0)
        {
            BitConverter.GetBytes(MayBeAbsent).CopyTo(bytes, at + sizeof(uint)); // hash, flags, index, name, next
            string changed = path + ".tmp";
            File.WriteAllBytes(changed, bytes);
            File.Move(changed, path, overwrite: true);
            NativeLibrary.Load(path);
        }
        return at >= 0 && bytes[at + sizeof(uint)] == MayBeAbsent
            ? $", its {Library} marked to do without {Version}" : "";
    }

    /// <summary>The hash of a version's name in an ELF file (System V ABI).</summary>
    private static uint Hash(string name)
    {
        uint hash = 0;
        foreach (byte letter in Encoding.ASCII.GetBytes(name))
        {
            hash = (hash << 4) + letter;
            uint high = hash & 0xF0000000;
            hash = (hash ^ (high >> 24)) & ~high;
        }
        return hash;
    }
}
