namespace Nano;

/// <summary>
/// The vision transformer (Dosovitskiy et al., "An Image is Worth 16x16 Words", 2020): an image is cut into patches, each
/// a row x W + b; a class row comes first; positions are added; L blocks, in which every row sees every other; the class
/// row, normalised, gives the logits of the classes.
/// <para>A batch: pixel_values [B, 3, H, W], labels [B].</para>
/// </summary>
public sealed class Vit : Model
{
    private static readonly TowerNames Names = new("layernorm_before", "attention.attention.query",
        "attention.attention.key", "attention.attention.value", "attention.output.dense", "layernorm_after",
        "intermediate.dense", "output.dense");

    private readonly VitConfig config;
    private readonly PatchEmbedding embedding;
    private readonly Tower tower;
    private readonly Norm finalNorm;
    private readonly Linear classifier;

    /// <summary>A model with parameters that are zero.</summary>
    public Vit(VitConfig config) : this(config, new Parameters())
    {
    }

    internal Vit(VitConfig config, Parameters parameters) : base(config, parameters)
    {
        this.config = config;
        var (_, patch, colours) = config.Images;
        int C = config.Tower.Channels;
        ParameterFacts table = new(ParameterRole.Position, ModelComponent.Embedding);
        embedding = new(config.Images,
            parameters.Add("vit.embeddings.patch_embeddings.projection.weight",
                table with { Role = ParameterRole.Embedding }, C, colours, patch, patch),
            parameters.Add("vit.embeddings.patch_embeddings.projection.bias",
                table with { Role = ParameterRole.Bias }, C),
            parameters.Add("vit.embeddings.cls_token", table, 1, 1, C),
            parameters.Add("vit.embeddings.position_embeddings", table, 1, config.Images.Patches + 1, C));
        tower = new(config.Tower, parameters, "vit.encoder.layer", Names);
        finalNorm = Norm.Declare(parameters, "vit.layernorm", null, C, NormKind.Layer, config.Tower.NormEpsilon);
        classifier = Linear.Declare(parameters, "classifier", new(ParameterRole.Head, ModelComponent.Head), C,
            config.Classes, bias: true);
    }

    /// <summary>The logits of images [B, 3, H, W], [B, classes].</summary>
    /// <exception cref="NanoException">The images have another size.</exception>
    public Tensor Forward(Compute c, Tensor images, Action<string, Tensor>? watch = null)
    {
        var x = embedding.Forward(c, images, watch); // [B, n + 1, C]
        watch?.Invoke("embed", x);
        x = tower.Forward(c, x, config.Tower.Layers, isCausal: false, (i, x) => watch?.Invoke($"block{i}", x));
        x = finalNorm.Forward(c, x);
        watch?.Invoke("final_norm", x);
        var first = c.Slice(x, 1, 0, 1).Reshape(new Shape(images.Shape[0], config.Tower.Channels));
        var logits = classifier.Forward(c, first);
        watch?.Invoke("logits", logits);
        return logits;
    }

    /// <inheritdoc/>
    public override Tensor Loss(Compute c, Batch batch, Action<string, Tensor>? watch = null) =>
        c.CrossEntropy(Forward(c, batch["pixel_values"], watch), batch["labels"]).Loss;
}
