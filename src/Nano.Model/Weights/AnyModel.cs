using System.Text;

namespace Nano;

/// <summary>Folders of models of any kind, in Hugging Face's layout: config.json and model.safetensors.</summary>
public static class AnyModel
{
    /// <summary>Opens the model in a folder, with all weights in float32.</summary>
    /// <exception cref="NanoException">There is no model.</exception>
    /// <exception cref="BadFileException">A file is damaged or does not fit the configuration.</exception>
    public static Model Load(string folder)
    {
        var config = ConfigFile.LoadAny(Path.Combine(folder, ModelFolder.ConfigFile));
        using var files = new SafetensorsSet(folder);
        return ModelFiles.Fill(config.NewModel(new Parameters()), ModelFiles.Tensors(files, config, layout: null));
    }

    /// <summary>
    /// The way in which the model in a folder reads pictures: as preprocessor_config.json beside it
    /// says, or where there is none, as ViT and CLIP were trained.
    /// </summary>
    /// <exception cref="NanoException">There is no model, or it reads no pictures.</exception>
    /// <exception cref="BadFileException">A file is malformed, or the two do not fit each other.</exception>
    public static ImageProcessor LoadImageProcessor(string folder)
    {
        var config = ConfigFile.LoadAny(Path.Combine(folder, ModelFolder.ConfigFile));
        var usual = config switch
        {
            VitConfig vit => ImageProcessor.OfVit(vit.Images.Size),
            ClipConfig clip => ImageProcessor.OfClip(clip.Images.Size),
            LlavaConfig llava => ImageProcessor.OfClip(llava.Images.Size),
            _ => throw new NanoException($"a model of the kind '{config.ModelType}' reads no pictures",
                "vit, clip and llava do"),
        };
        string path = Path.Combine(folder, "preprocessor_config.json");
        return File.Exists(path) ? ImageProcessor.Load(path, usual) : usual;
    }

    /// <summary>Writes a model into a folder that exists, config.json last.</summary>
    /// <exception cref="NanoException">A file cannot be written.</exception>
    public static void Save(string folder, Model model)
    {
        var byName = model.Parameters.All.ToDictionary(parameter => parameter.Name!);
        SafetensorsSet.Write(folder, [.. model.Architecture.FileTensors().Select(file => ModelFiles.Joined(file,
            [.. file.Parameters.Select(name => ModelSource.InMemory(byName[name], name))]).ToSafetensors())],
            long.MaxValue);
        AtomicFile.Write(Path.Combine(folder, ModelFolder.ConfigFile),
            stream => stream.Write(Encoding.UTF8.GetBytes(model.Architecture.ToJson())));
    }
}
