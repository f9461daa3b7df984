using System.Buffers.Binary;

namespace Nano.Tests.Images;

/// <summary>Pictures against Pillow: tests/goldens/pictures, by make_pictures.py.</summary>
public class PictureTests
{
    private static string Golden(string name) => Goldens.Path("pictures/" + name);

    /// <summary>The pixels of a PPM that Pillow wrote, whose header has three lines.</summary>
    private static byte[] Expected(string name)
    {
        byte[] bytes = File.ReadAllBytes(Golden(name + ".expected.ppm"));
        int at = 0;
        for (int line = 0; line < 3; line++)
            at = Array.IndexOf(bytes, (byte)'\n', at) + 1;
        return bytes[at..];
    }

    [Theory]
    [InlineData("rgb.png", "rgb")]
    [InlineData("rgb.bmp", "rgb")]
    [InlineData("rgb.ppm", "rgb")]
    [InlineData("alpha.png", "rgb")]
    [InlineData("grey.png", "grey")]
    [InlineData("bits.png", "bits")]
    [InlineData("palette.png", "palette")]
    public void Files_without_loss_have_Pillows_pixels(string file, string expected)
    {
        var picture = Picture.Read(Golden(file));
        Assert.Equal((37, 23), (picture.Width, picture.Height));
        Assert.Equal(Expected(expected), picture.Bytes);
    }

    /// <summary>Decoders of JPEG may round their cosines as they like: a step or two of 255.</summary>
    [Theory]
    [InlineData("smooth.jpg", "smooth")]
    [InlineData("progressive.jpg", "progressive")]
    [InlineData("grey.jpg", "greyjpg")]
    public void Jpegs_are_near_Pillows_pixels(string file, string expected)
    {
        var picture = Picture.Read(Golden(file));
        byte[] wanted = Expected(expected);
        Assert.Equal(wanted.Length, picture.Bytes.Count);
        for (int i = 0; i < wanted.Length; i++)
            Assert.True(Math.Abs(wanted[i] - picture.Bytes[i]) <= 2, $"byte {i}: {picture.Bytes[i]}, {wanted[i]}");
    }

    public static TheoryData<PictureFilter, int, int> Sizes
    {
        get
        {
            var data = new TheoryData<PictureFilter, int, int>();
            foreach (var filter in Enum.GetValues<PictureFilter>())
                foreach (var (width, height) in new[] { (16, 16), (64, 40), (37, 9), (11, 23) })
                    data.Add(filter, width, height);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Other_sizes_are_Pillows_to_the_byte(PictureFilter filter, int width, int height)
    {
        var picture = Picture.Read(Golden("rgb.ppm")).Resize(width, height, filter);
        Assert.Equal((width, height), (picture.Width, picture.Height));
        Assert.Equal(Expected($"{filter.ToString().ToLowerInvariant()}_{width}x{height}"), picture.Bytes);
    }

    [Fact]
    public void The_middle()
    {
        var picture = new Picture(4, 3, [.. Enumerable.Range(0, 36).Select(i => (byte)(i / 3))]);
        Assert.Equal<byte>([5, 5, 5, 6, 6, 6], picture.CropCentre(2, 1).Bytes);
        Assert.Equal<byte>([0, 0, 0, 4, 4, 4, 8, 8, 8], picture.CropCentre(1, 3).Bytes.Select(b => (byte)(b - 1)));
        Assert.Contains("5 x 1 pixels are no part of 4 x 3",
            Assert.Throws<ArgumentException>(() => picture.CropCentre(5, 1)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => picture.Resize(0, 1, PictureFilter.Nearest));
        Assert.Throws<ArgumentException>(() => new Picture(2, 2, new byte[11]));
    }

    private static BadFileException Refused(byte[] bytes)
    {
        using var folder = new TempFolder();
        string path = folder.File("picture");
        File.WriteAllBytes(path, bytes);
        return Assert.Throws<BadFileException>(() => Picture.Read(path));
    }

    /// <summary>Sizes that a header claims are refused before there is memory for them.</summary>
    [Theory]
    [InlineData("rgb.png", 16, 20000, 23, "20000 x 23 pixels; 1 to 16384")]
    [InlineData("rgb.png", 16, 0, 23, "0 x 23 pixels; 1 to 16384")]
    [InlineData("rgb.png", 16, 16000, 16000, "16000 x 16000 pixels; 1 to 16384 in each direction and 67108864 in all")]
    [InlineData("rgb.png", 16, 8000, 8000, "8000 x 8000 pixels, more than its bytes can hold")]
    public void Claimed_sizes_are_bounded(string file, int at, int width, int height, string message)
    {
        byte[] bytes = File.ReadAllBytes(Golden(file));
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(at), width);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(at + 4), height);
        Assert.Contains(message, Refused(bytes).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Claimed_lengths_of_chunks_are_bounded()
    {
        byte[] bytes = File.ReadAllBytes(Golden("rgb.png"));
        int data = bytes.AsSpan().IndexOf("IDAT"u8) - 4;
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(data), 1 << 29);
        Assert.Contains($"the chunk at byte {data} ends at byte {data + 12 + (1 << 29)} of {bytes.Length}",
            Refused(bytes).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("P6 2 2 65535 0123456789012345678901234567", "largest value is 65535")]
    [InlineData("P6 2 2 255 01234567890", "11 bytes of pixels, expected 12 of 2 x 2")]
    [InlineData("P6 2 x", "no number at byte 5")]
    [InlineData("P6 99999 2 255 ", "99999 x 2 pixels; 1 to 16384")]
    [InlineData("GIF89a.....", "no picture of the kinds PNG, JPEG, BMP and PPM")]
    [InlineData("", "no picture of the kinds")]
    public void Malformed_texts(string text, string message) =>
        Assert.Contains(message, Refused(System.Text.Encoding.ASCII.GetBytes(text)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData("rgb.png")]
    [InlineData("smooth.jpg")]
    [InlineData("rgb.bmp")]
    [InlineData("rgb.ppm")]
    public void Files_that_end_early_are_refused_or_read(string file)
    {
        byte[] bytes = File.ReadAllBytes(Golden(file));
        using var folder = new TempFolder();
        string path = folder.File("picture");
        for (int length = 0; length < bytes.Length; length += 1 + (length / 16))
        {
            File.WriteAllBytes(path, bytes[..length]);
            try
            {
                Assert.Equal(37, Picture.Read(path).Width);
            }
            catch (BadFileException)
            {
                // JPEGs may end early and be read
            }
        }
    }

    [Fact]
    public void A_comment_in_a_ppm()
    {
        using var folder = new TempFolder();
        string path = folder.File("a.ppm");
        File.WriteAllBytes(path, [.. "P6\n# made by hand\n1 2\n255\n"u8, 1, 2, 3, 4, 5, 6]);
        Assert.Equal<byte>([1, 2, 3, 4, 5, 6], Picture.Read(path).Bytes);
    }
}
