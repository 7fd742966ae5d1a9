-- Sends each MR series on to Atypia as soon as nothing of it came for a while. Results of Atypia are of other
-- modalities, so they are not sent round in a circle.
function OnStableSeries(seriesId, tags, metadata)
   if tags['Modality'] == 'MR' then
      RestApiPost('/modalities/atypia/store', '{"Resources": ["' .. seriesId .. '"], "Asynchronous": true}')
   end
end
