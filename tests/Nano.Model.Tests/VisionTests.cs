namespace Nano.Tests;

/// <summary>Configurations of models of images and of diffusion; their arithmetic has golden values.</summary>
public class VisionTests
{
    private static readonly TowerConfig Small = new()
    {
        Layers = 2, Heads = 3, Channels = 24, Intermediate = 40, Activation = ActivationKind.QuickGelu,
        NormEpsilon = 1e-5f,
    };

    private static readonly ClipConfig SmallClip = new()
    {
        TextTower = Small, VisionTower = Small, Images = new(16, 8), VocabSize = 50, ContextLength = 12, EndToken = 49,
        Projection = 16,
    };

    public static TheoryData<string> Folders => ["vit", "clip", "llava", "ddpm_mlp"];

    [Theory, MemberData(nameof(Folders))]
    public void A_config_is_equal_to_itself_written_and_read_again(string folder)
    {
        var config = ConfigFile.LoadAny(Path.Combine(Goldens.Path("zoo/" + folder), "config.json"));
        string path = Path.Combine(Directory.CreateTempSubdirectory().FullName, "config.json");
        File.WriteAllText(path, config.ToJson());
        Assert.Equal(config, ConfigFile.LoadAny(path));
        Directory.Delete(Path.GetDirectoryName(path)!, recursive: true);
    }

    /// <summary>The published numbers of parameters.</summary>
    [Fact]
    public void ViT_B_16_and_CLIP_ViT_B_32_have_as_many_parameters_as_published()
    {
        TowerConfig Base(int heads, int width, ActivationKind f) => new()
        {
            Layers = 12, Heads = heads, Channels = width, Intermediate = 4 * width, Activation = f, NormEpsilon = 1e-5f,
        };
        Assert.Equal(86_567_656, Count(new VitConfig
        {
            Tower = Base(12, 768, ActivationKind.GeluErf), Images = new(224, 16), Classes = 1000,
        }));
        Assert.Equal(151_277_313, Count(new ClipConfig
        {
            TextTower = Base(8, 512, ActivationKind.QuickGelu), VisionTower = Base(12, 768, ActivationKind.QuickGelu),
            Images = new(224, 32), VocabSize = 49408, ContextLength = 77, EndToken = 49407, Projection = 512,
        }));

        static long Count(ArchitectureConfig config) => config.ParameterShapes().Sum(p => p.Shape.Length);
    }

    [Fact]
    public void Configs_that_cannot_be_are_refused_by_name()
    {
        var vit = new VitConfig { Tower = Small, Images = new(16, 8), Classes = 4 };
        Assert.Contains("multiple of heads", Refused(vit with { Tower = Small with { Heads = 5 } }));
        Assert.Contains("patches of 5", Refused(vit with { Images = new(16, 5) }));
        Assert.Contains("number of classes is 0", Refused(vit with { Classes = 0 }));
        Assert.Contains("end token is 50", Refused(SmallClip with { EndToken = 50 }));
        Assert.Contains("must be even", Refused(new DdpmConfig { Channels = 8, TimeChannels = 7, Steps = 10 }));

        static string Refused(ArchitectureConfig config) => Assert.Throws<NanoException>(config.Validate).Message;
    }

    [Fact]
    public void Images_of_another_size_and_texts_without_an_end_are_refused()
    {
        using var model = new Clip(SmallClip);
        using var compute = new Compute(1);
        Assert.Contains("[B, 3, 16, 16]", Assert.Throws<NanoException>(() =>
            model.EncodeImages(compute, new Tensor(new Shape(1, 3, 24, 24)))).Message);
        Assert.Contains("no end token", Assert.Throws<NanoException>(() =>
            model.EncodeTexts(compute, Tensor.FromIds(new Shape(1, 2), [4, 5]))).Message);
    }
}
