using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Nano;

/// <summary>A file of a model as the hub states it.</summary>
/// <param name="Name">Its path in the model's folder, with forward slashes; not yet to be trusted.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Digest">In hexadecimal: the SHA-256 of a large file, or of any other file the SHA-1
/// that git gives its content.</param>
/// <param name="IsLarge">Whether the hub keeps it in its large-file store, which decides what kind
/// of digest it states.</param>
public sealed record HubFile(string Name, long Bytes, string Digest, bool IsLarge)
{
    /// <summary>The name of the digest's algorithm, for messages.</summary>
    public string DigestName => IsLarge ? "sha256" : "git blob sha1";

    /// <summary>
    /// Begins to compute the digest of content of this size. Git hashes a head before the content:
    /// "blob", its size and a zero byte.
    /// </summary>
    public IncrementalHash BeginDigest()
    {
        if (IsLarge)
            return IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        // Git's own digest; it is compared with what git says, and protects against accidents, not attacks.
#pragma warning disable CA5350
        var digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
#pragma warning restore CA5350
        digest.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"blob {Bytes}\0")));
        return digest;
    }

    /// <summary>The path of the file in a folder.</summary>
    /// <exception cref="NanoException">The name would leave the folder or is not one that every
    /// file system takes.</exception>
    public string PathIn(string folder)
    {
        string[] parts = Name.Split('/');
        if (Name.Length > 200
            || parts.Any(part => part.Length == 0 || part[0] == '.' || part[^1] is '.' or ' '
                || part.Any(c => c is < ' ' or '\\' or ':' or '*' or '?' or '"' or '<' or '>' or '|' or '\x7f')))
            throw new NanoException($"the hub names a file {Quoted.Of(Name)}, which is not a safe file name",
                "do not use this model, or report it to the hub");
        return Path.Combine([folder, .. parts]);
    }
}
