using System.Buffers.Binary;
using StbImageSharp;

namespace Nano;

/// <summary>
/// Files of pictures. The header is read here, and its sizes are checked against each other and the file's, before
/// anything is decoded: of PNG (W3C, "Portable Network Graphics", 2003), JPEG (ITU-T T.81) and BMP by StbImageSharp,
/// of PPM (netpbm, P6 with values up to 255) here.
/// </summary>
internal static class PictureFile
{
    private const int MaxFileBytes = 1 << 28, MaxPixels = 1 << 26;

    // The most that a byte can become: deflate makes 1032 bytes of one; a JPEG's block of 64 pixels takes at least
    // half a bit of it.
    private const int DeflateRatio = 1032, JpegPixelsPerByte = 1024;

    private static ReadOnlySpan<byte> PngMagic => [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A];

    /// <summary>The sizes that a header gives, and the most pixels that the file's bytes can hold.</summary>
    private readonly record struct Header(long Width, long Height, long Most);

    public static Picture Read(string path)
    {
        byte[] bytes = InputFile.ReadBytes(path, MaxFileBytes, "check the path of the picture");
        if (bytes.AsSpan().StartsWith("P6"u8))
            return ReadPpm(bytes, path);
        var (width, height, most) = bytes.AsSpan().StartsWith(PngMagic) ? PngHeader(bytes, path)
            : bytes.AsSpan().StartsWith((ReadOnlySpan<byte>)[0xFF, 0xD8, 0xFF]) ? JpegHeader(bytes, path)
            : bytes.AsSpan().StartsWith("BM"u8) ? BmpHeader(bytes, path)
            : throw new BadFileException(path, "it is no picture of the kinds PNG, JPEG, BMP and PPM (P6)")
            { IsUnsupported = true };
        Check(width, height, most, path);
        ImageResult decoded;
        try
        {
            decoded = ImageResult.FromMemory(bytes, ColorComponents.RedGreenBlue);
        }
        catch (Exception e) when (e is not OutOfMemoryException) // whatever the decoder stumbles over
        {
            throw new BadFileException(path, $"the picture cannot be decoded: {Quoted.Reason(e)}", e);
        }
        if (decoded.Width != width || decoded.Height != height
            || decoded.Data.Length != width * height * Picture.Colours)
            throw new BadFileException(path, $"its header says {width} x {height} pixels, and it holds "
                + $"{decoded.Width} x {decoded.Height}");
        return new(decoded.Width, decoded.Height, decoded.Data);
    }

    private static void Check(long width, long height, long most, string path)
    {
        if (width is < 1 or > Picture.MaxSide || height is < 1 or > Picture.MaxSide || width * height > MaxPixels)
            throw new BadFileException(path, $"its header says {width} x {height} pixels; 1 to {Picture.MaxSide} in "
                + $"each direction and {MaxPixels} in all can be read");
        if (width * height > most)
            throw new BadFileException(path,
                $"its header says {width} x {height} pixels, more than its bytes can hold");
    }

    private static BadFileException Short(string path) => new(path, "the file ends within its header");

    private static Header PngHeader(byte[] bytes, string path)
    {
        if (bytes.Length < 33)
            throw Short(path);
        if (!bytes.AsSpan(12, 4).SequenceEqual("IHDR"u8))
            throw new BadFileException(path, "its first chunk is not IHDR");
        // A decoder may take a chunk's word for its length.
        for (long at = PngMagic.Length, next; at + 8 <= bytes.Length; at = next)
            if ((next = at + 12 + BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan((int)at))) > bytes.Length)
                throw new BadFileException(path, $"the chunk at byte {at} ends at byte {next} of {bytes.Length}");
        int depth = bytes[24], channels = bytes[25] switch { 2 => 3, 4 => 2, 6 => 4, _ => 1 };
        return new(BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(16)),
            BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(20)),
            8L * DeflateRatio * bytes.Length / Math.Max(1, depth * channels));
    }

    /// <summary>The first frame header, behind segments of which each says its length.</summary>
    private static Header JpegHeader(byte[] bytes, string path)
    {
        for (int at = 2; at + 9 < bytes.Length;)
        {
            if (bytes[at] != 0xFF)
                throw new BadFileException(path, $"no marker at byte {at}");
            int marker = bytes[at + 1];
            if (marker == 0xFF) // fill
                at++;
            else if (marker is >= 0xC0 and <= 0xCF and not 0xC4 and not 0xC8 and not 0xCC)
                return new(BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at + 7)),
                    BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at + 5)),
                    (long)JpegPixelsPerByte * bytes.Length);
            else
                at += 2 + Math.Max(2, (int)BinaryPrimitives.ReadUInt16BigEndian(bytes.AsSpan(at + 2)));
        }
        throw Short(path);
    }

    private static Header BmpHeader(byte[] bytes, string path)
    {
        if (bytes.Length < 30)
            throw Short(path);
        var sizes = bytes.AsSpan(18);
        bool isOld = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(14)) == 12;
        return new(isOld ? BinaryPrimitives.ReadUInt16LittleEndian(sizes)
            : BinaryPrimitives.ReadInt32LittleEndian(sizes),
            isOld ? BinaryPrimitives.ReadUInt16LittleEndian(sizes[2..])
            : Math.Abs((long)BinaryPrimitives.ReadInt32LittleEndian(sizes[4..])), 8L * bytes.Length);
    }

    /// <summary>P6, width, height, 255, one white space, pixels; # begins a comment until the line's end.</summary>
    private static Picture ReadPpm(byte[] bytes, string path)
    {
        int at = 2;
        long width = Number(), height = Number(), largest = Number();
        Check(width, height, MaxPixels, path);
        if (largest != byte.MaxValue)
            throw new BadFileException(path, $"its largest value is {largest}; supported: 255")
            { IsUnsupported = true };
        at++;
        long size = width * height * Picture.Colours;
        return bytes.Length - at >= size ? new((int)width, (int)height, bytes.AsSpan(at, (int)size).ToArray())
            : throw new BadFileException(path,
                $"{Math.Max(0, bytes.Length - at)} bytes of pixels, expected {size} of {width} x {height}");

        long Number()
        {
            while (at < bytes.Length && (bytes[at] == '#' || char.IsWhiteSpace((char)bytes[at])))
                if (bytes[at] != '#')
                    at++;
                else
                    while (at < bytes.Length && bytes[at] != '\n')
                        at++;
            int start = at;
            while (at < bytes.Length && at - start < 9 && char.IsAsciiDigit((char)bytes[at]))
                at++;
            return at > start && at < bytes.Length && char.IsWhiteSpace((char)bytes[at])
                ? long.Parse(bytes.AsSpan(start, at - start), System.Globalization.CultureInfo.InvariantCulture)
                : throw new BadFileException(path, $"no number at byte {start} of the header");
        }
    }
}
