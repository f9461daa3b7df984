using System.Runtime.InteropServices;

namespace Nano.Tests.Encoders;

/// <summary>Pictures as models read them, against Pillow and numpy: tests/goldens/pictures.</summary>
public class ImageProcessorTests
{
    private const int S = 16;

    private static string Golden(string name) => Goldens.Path("pictures/" + name);

    private static float[] Expected(int part) => MemoryMarshal.Cast<byte, float>(File.ReadAllBytes(Golden("values.bin")))
        .Slice(part * 3 * S * S, 3 * S * S).ToArray();

    private static void AssertNear(float[] expected, ReadOnlySpan<float> found)
    {
        Assert.Equal(expected.Length, found.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - found[i]) <= 1e-6, $"{i}: {found[i]}, expected {expected[i]}");
    }

    [Fact]
    public void Vits_and_Clips_numbers()
    {
        AssertNear(Expected(0), ImageProcessor.OfVit(S).Read(Golden("rgb.png")).Data);
        var two = ImageProcessor.OfClip(S).Read(Golden("rgb.png"), Golden("rgb.ppm"));
        Assert.Equal(new Shape(2, 3, S, S), two.Shape);
        AssertNear(Expected(1), two.Data[..(3 * S * S)]);
        AssertNear(Expected(1), two.Data[(3 * S * S)..]);
    }

    private static ImageProcessor Load(string model, string json)
    {
        using var folder = new TempFolder();
        File.Copy(Path.Combine(Goldens.Zoo(model), "config.json"), folder.File("config.json"));
        File.WriteAllText(folder.File("preprocessor_config.json"), json);
        return AnyModel.LoadImageProcessor(folder.Root);
    }

    /// <summary>The keys of transformers, in the forms of old and new files.</summary>
    [Fact]
    public void Preprocessor_config()
    {
        Assert.Equal(ImageProcessor.OfVit(24), AnyModel.LoadImageProcessor(Goldens.Zoo("vit")));
        Assert.Equal(ImageProcessor.OfClip(16), AnyModel.LoadImageProcessor(Goldens.Zoo("clip")));
        Assert.Equal(ImageProcessor.OfVit(24), Load("vit", """
            {"do_normalize": true, "do_resize": true, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
             "resample": 2, "size": {"height": 24, "width": 24}, "rescale_factor": 0.00392156862745098}
            """));
        Assert.Equal(ImageProcessor.OfClip(16), Load("clip", """
            {"crop_size": 16, "do_center_crop": true, "do_normalize": true, "do_resize": true, "resample": 3, "size": 16,
             "image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}
            """));
        Assert.Equal(ImageProcessor.OfClip(16) with
        {
            ShortSide = 20,
            Filter = PictureFilter.Bilinear,
            Factor = 1,
            Mean = [0, 0, 0],
            Deviation = [1, 1, 1]
        }, Load("clip", """
            {"crop_size": {"height": 16, "width": 16}, "do_normalize": false, "resample": 2, "do_rescale": false,
             "size": {"shortest_edge": 20}}
            """));
        Assert.Equal(ImageProcessor.OfVit(24) with { ScaledTo = null }, Load("vit", """{"do_resize": false}"""));
    }

    [Theory]
    [InlineData("""{"size": 32}""", "makes pictures of 32 x 32 pixels, and the model reads 24 x 24")]
    [InlineData("""{"size": 0}""", "'size' is 0")]
    [InlineData("""{"size": {"longest_edge": 24}}""", "'size.width' is missing")]
    [InlineData("""{"resample": 1}""", "'resample' is 1")]
    [InlineData("""{"image_mean": [0.5]}""", "'image_mean' has 1 numbers; wanted 3")]
    [InlineData("""{"image_std": [1, 0, 1]}""", "'image_std' has a 0")]
    [InlineData("[]", "not a JSON object")]
    public void Malformed_configs(string json, string message) =>
        Assert.Contains(message, Assert.Throws<BadFileException>(() => Load("vit", json)).Message,
            StringComparison.Ordinal);

    [Fact]
    public void Sizes_that_do_not_fit_are_named()
    {
        var picture = new Picture(5, 4, new byte[60]);
        var error = Assert.Throws<NanoException>(() => (ImageProcessor.OfVit(S) with { ScaledTo = null })
            .Tensors(picture));
        Assert.Contains("a picture of 5 x 4 pixels; the model reads 16 x 16", error.Message, StringComparison.Ordinal);
        error = Assert.Throws<NanoException>(() => ImageProcessor.OfClip(S)
            .Tensors(new Picture(1, 2000, new byte[6000])));
        Assert.Contains("1 x 2000 pixels would become one of 16 x 32000", error.Message, StringComparison.Ordinal);
        error = Assert.Throws<NanoException>(() => AnyModel.LoadImageProcessor(Goldens.Zoo("bert")));
        Assert.Contains("'bert' reads no pictures", error.Message, StringComparison.Ordinal);
        using var model = new Vit((VitConfig)ConfigFile.LoadAny(Path.Combine(Goldens.Zoo("vit"), "config.json")));
        using var compute = new Compute(1);
        error = Assert.Throws<NanoException>(() => model.Forward(compute, ImageProcessor.OfVit(S).Tensors(picture)));
        Assert.Contains("pixels of shape [1, 3, 16, 16]; the model reads images [B, 3, 24, 24]", error.Message,
            StringComparison.Ordinal);
    }
}
